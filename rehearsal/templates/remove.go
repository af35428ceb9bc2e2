package templates

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
)

// fail ends a creation: everything made is removed again, unless the owner wants to look at it.
func (s *Service) fail(ctx context.Context, caller accounts.Caller, st *Stack, id string, keep bool) {
	why := fmt.Sprintf("The following resource(s) failed to create: [%s]. ", id)
	if keep {
		s.tellStack(st, "CREATE_FAILED", why)
		return
	}
	s.tellStack(st, "ROLLBACK_IN_PROGRESS", why+"Rollback requested by user.")
	status, why := "ROLLBACK_COMPLETE", ""
	if failed := s.remove(ctx, st, caller, func(d Declaration) bool { return d.DeletionPolicy == "Retain" }); len(failed) > 0 {
		status, why = "ROLLBACK_FAILED", failedToDelete(failed)
	}
	s.tellStack(st, status, why)
}

// remove deletes the stack's resources in reverse order, but those to keep and those that one depends on
// which could not be deleted. It lists the latter's logical IDs.
func (s *Service) remove(ctx context.Context, st *Stack, caller accounts.Caller, keep func(Declaration) bool) (failed []string) {
	s.mu.Lock()
	order := slices.Clone(st.order)
	s.mu.Unlock()
	needed := map[string]bool{} // by what stays
	for _, id := range slices.Backward(order) {
		d := st.template.Resources[id]
		switch {
		case needed[id]:
			st.template.need(id, needed)
			continue
		case keep(d):
			s.tell(st, id, d.Type, "DELETE_SKIPPED", "")
			continue
		}
		if !s.removeResource(ctx, caller, st, id, d.Type, leftover{st.made[id], st.properties[id]}) {
			failed = append(failed, id)
			st.template.need(id, needed)
			continue
		}
		s.mu.Lock()
		st.forget(id)
		s.mu.Unlock()
	}
	return failed
}

// need adds what a resource depends on.
func (t *Template) need(id string, needed map[string]bool) {
	names, _ := references("Resources."+id, t.Resources[id].Properties) // its errors were found before it was made
	for _, name := range append(names, t.Resources[id].DependsOn...) {
		other, _, _ := strings.Cut(name, ".")
		needed[other] = true
	}
}

// forget takes a resource off the stack. The caller holds mu.
func (st *Stack) forget(id string) {
	st.order = slices.DeleteFunc(st.order, func(x string) bool { return x == id })
	delete(st.properties, id)
}

// leftover is a resource with the properties that it was made of.
type leftover struct {
	Resource   Resource
	Properties map[string]any
}

// removeResource deletes one resource with the caller's permissions, and tells whether it is gone.
func (s *Service) removeResource(ctx context.Context, caller accounts.Caller, st *Stack, id, typeName string, old leftover) bool {
	s.tell(st, id, typeName, "DELETE_IN_PROGRESS", "")
	err := s.types[typeName].Delete(ctx, Existing{
		Caller: caller, Account: st.Account, Region: st.Region, Resource: old.Resource, Properties: old.Properties,
	})
	if err != nil {
		s.tell(st, id, typeName, "DELETE_FAILED", reason(err))
		return false
	}
	s.tell(st, id, typeName, "DELETE_COMPLETE", "")
	return true
}

func failedToDelete(ids []string) string {
	slices.Sort(ids)
	return fmt.Sprintf("The following resource(s) failed to delete: [%s]. ", strings.Join(ids, ", "))
}

// Delete removes a stack in the background. A stack that does not exist is no error, as on AWS; one in
// review has nothing to remove.
func (s *Service) Delete(ctx context.Context, caller accounts.Caller, region, name string) error {
	if err := s.authorize(caller, "DeleteStack", stackARN(region, caller.Account, name, "*")); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(caller.Account, region, name)
	if st == nil || st.Status == "DELETE_COMPLETE" {
		return nil
	}
	if st.Status != inReview && strings.HasSuffix(st.Status, "_IN_PROGRESS") {
		return invalid("Stack [%s] cannot be deleted while in status %s", name, st.Status)
	}
	st.Status, st.changeSets = "DELETE_IN_PROGRESS", nil
	s.start(func() {
		s.tellStack(st, "DELETE_IN_PROGRESS", "User Initiated")
		retained := func(d Declaration) bool { return strings.HasPrefix(d.DeletionPolicy, "Retain") }
		if failed := s.remove(context.WithoutCancel(ctx), st, caller, retained); len(failed) > 0 {
			s.tellStack(st, "DELETE_FAILED", failedToDelete(failed))
			return
		}
		s.tellStack(st, "DELETE_COMPLETE", "")
	})
	return nil
}
