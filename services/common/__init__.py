"""What the services and the gateway share; it imports none of them."""
