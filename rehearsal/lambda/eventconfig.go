package lambda

import (
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// EventConfig says how asynchronous events of one qualifier are tried again. Nil means AWS's default.
type EventConfig struct {
	MaximumRetryAttempts     *int // 0 to 2
	MaximumEventAgeInSeconds *int // 60 to 21600
	modified                 time.Time
}

func (e *EventConfig) retries() int {
	if e == nil || e.MaximumRetryAttempts == nil {
		return defaultRetries
	}
	return *e.MaximumRetryAttempts
}

func (e *EventConfig) age() time.Duration {
	if e == nil || e.MaximumEventAgeInSeconds == nil {
		return defaultEventAge
	}
	return seconds(*e.MaximumEventAgeInSeconds)
}

// eventConfig is what applies to events sent to t.
func (s *Service) eventConfig(t target) *EventConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[t.key]
	if f == nil {
		return nil
	}
	return f.events[eventQualifier(t)]
}

// eventQualifier: the function's own configuration is $LATEST's.
func eventQualifier(t target) string {
	if t.qualifier == "" {
		return latest
	}
	return t.qualifier
}

// PutEventConfig sets a configuration; with merge, what in leaves out stays as it is
// (UpdateFunctionEventInvokeConfig). It answers the ARN that the configuration belongs to.
func (s *Service) PutEventConfig(c accounts.Caller, region, name, qualifier string, in EventConfig, merge bool) (EventConfig, string, error) {
	action := "PutFunctionEventInvokeConfig"
	if merge {
		action = "UpdateFunctionEventInvokeConfig"
	}
	if n := in.MaximumRetryAttempts; n != nil && (*n < 0 || *n > 2) {
		return EventConfig{}, "", outOfRange("maximumRetryAttempts", *n, 0, 2)
	}
	if n := in.MaximumEventAgeInSeconds; n != nil && (*n < 60 || *n > 21600) {
		return EventConfig{}, "", outOfRange("maximumEventAgeInSeconds", *n, 60, 21600)
	}
	var arn string
	err := s.withEvents(c, region, name, qualifier, action, func(f *function, q string) error {
		if old := f.events[q]; merge && old != nil {
			kept := *old
			set(&kept.MaximumRetryAttempts, ptr(in.MaximumRetryAttempts))
			set(&kept.MaximumEventAgeInSeconds, ptr(in.MaximumEventAgeInSeconds))
			in = kept
		}
		if in.MaximumRetryAttempts == nil && in.MaximumEventAgeInSeconds == nil {
			return invalid("You must specify at least one of error handling or destination setting.")
		}
		in.modified = s.Clock.Now()
		saved := in
		f.events[q] = &saved
		arn = f.arn(q)
		return nil
	})
	return in, arn, err
}

// ptr is where a value is, nil for nil, so that set leaves alone what was not given.
func ptr[T any](p *T) **T {
	if p == nil {
		return nil
	}
	return &p
}

// GetEventConfig reads a configuration that was put.
func (s *Service) GetEventConfig(c accounts.Caller, region, name, qualifier string) (EventConfig, string, error) {
	var out EventConfig
	var arn string
	err := s.withEvents(c, region, name, qualifier, "GetFunctionEventInvokeConfig", func(f *function, q string) error {
		arn = f.arn(q)
		e := f.events[q]
		if e == nil {
			return noEventConfig(arn)
		}
		out = *e
		return nil
	})
	return out, arn, err
}

// DeleteEventConfig returns to AWS's defaults.
func (s *Service) DeleteEventConfig(c accounts.Caller, region, name, qualifier string) error {
	return s.withEvents(c, region, name, qualifier, "DeleteFunctionEventInvokeConfig", func(f *function, q string) error {
		if f.events[q] == nil {
			return noEventConfig(f.arn(q))
		}
		delete(f.events, q)
		return nil
	})
}

func noEventConfig(arn string) error {
	return wire.Errorf(404, "ResourceNotFoundException", "The function %s doesn't have an EventInvokeConfig", arn)
}

// withEvents does something with a qualifier's configuration once the caller may.
func (s *Service) withEvents(c accounts.Caller, region, name, qualifier, action string, do func(f *function, qualifier string) error) error {
	t, err := parseTarget(name, qualifier, place{c.Account, region})
	if err != nil {
		return err
	}
	if err := s.authorize(c, action, target{key: t.key}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(t)
	if err != nil {
		return err
	}
	if _, err := f.resolve(t.qualifier); err != nil {
		return err
	}
	return do(f, eventQualifier(t))
}
