// Package iam decides whether AWS would let a request through, and says why.
//
// It is for code that has to know before AWS does: the rehearsal asks it about every call, and a
// refused person gets from it the one statement that would have let them in. It reads policy
// documents ([Parse]), and [Decide] weighs all the documents that bear on one request: identity,
// resource, trust, key and session policies, permissions boundaries, service and resource control
// policies, within one account and across two.
//
// The package is pure: values in, values out; no clock, no I/O, no AWS types. What time it is, who
// calls and which policies apply are the caller's to say. Where AWS leaves a rule undocumented the
// code takes the refusing side and says so in a comment.
//
// Rules come from the IAM User Guide; comments name the page (reference_policies_evaluation-logic,
// reference_policies_elements_condition_operators and so on).
package iam
