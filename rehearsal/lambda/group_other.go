//go:build !linux

package lambda

import "syscall"

// ownGroup starts a process in a group of its own, so that Close ends all that it started.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
