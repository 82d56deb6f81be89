"""What people use today, run as it comes, beside Podyard."""
