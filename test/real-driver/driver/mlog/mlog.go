// Package mlog stands in for the driver's logging library, which the Go module proxy does not serve.
// klog, which the driver logs with otherwise, writes to stderr without being set up.
package mlog

import (
	"context"
	"fmt"
	"os"
)

// Format is how log lines are written. It is ignored: klog writes text.
type Format string

const (
	FormatText Format = "text"
	FormatJSON Format = "json"
)

// Setup prepares logging; what it returns flushes it.
func Setup() func() { return func() {} }

// ValidateAndSetKlogLevelAndFormatGlobally leaves level and format as klog's flags have set them.
func ValidateAndSetKlogLevelAndFormatGlobally[Level ~int32](context.Context, Level, Format) error {
	return nil
}

// Error writes a line about an error to stderr.
func Error(message string, err error, _ ...any) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", message, err)
}

// Fatal writes the error to stderr and ends the process with code 1.
func Fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
