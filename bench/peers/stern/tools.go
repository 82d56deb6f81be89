//go:build tools

// Package stern pins the log tailer that is measured beside Podyard.
package stern

import _ "github.com/stern/stern"
