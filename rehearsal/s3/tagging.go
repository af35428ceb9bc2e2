package s3

import (
	"context"
	"encoding/xml"
	"maps"
	"net/http"
	"slices"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Tags are a bucket's tags, those among them that AWS gave. Source: S3 API Reference, GetBucketTagging (H).
// They stay with the bucket when the stack that made it goes without it: S3 lets nobody take a system tag off
// (InvalidTag, "System tags cannot be removed by requester": H), and nothing says that CloudFormation does (M).
func (s *Service) Tags(_ context.Context, caller accounts.Caller, name string) (map[string]string, error) {
	var out map[string]string
	err := s.setting(caller, "GetBucketTagging", name, func(b *bucket) error {
		if out = b.tags; len(out) == 0 {
			return wire.Errorf(http.StatusNotFound, "NoSuchTagSet", "The TagSet does not exist")
		}
		return nil
	})
	return out, err
}

// tag gives a bucket the tags that a stack hands on, as its caller. For the stack's own the caller needs
// s3:PutBucketTagging, as CloudFormation has demanded since September 2020 (H); what it adds itself is not the
// caller's (M). Tags by hand, PutBucketTagging, are not emulated.
func (s *Service) tag(caller accounts.Caller, name string, tags map[string]string) error {
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	same := maps.Equal(b.tags, tags)
	s.mu.Unlock()
	own := slices.ContainsFunc(slices.Collect(maps.Keys(tags)), func(key string) bool { return !templates.IsSystemTag(key) })
	if own && !same {
		if err := s.allow(question{caller: caller, action: "PutBucketTagging", bucket: b}); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.tags = maps.Clone(tags)
	return nil
}

func (s *Service) serveGetTagging(in request) (reply, error) {
	tags, err := s.Tags(in.ctx, in.call.Caller, in.bucket)
	type tag struct{ Key, Value string }
	out := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ Tagging"`
		Tags    []tag    `xml:"TagSet>Tag"`
	}{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out.Tags = append(out.Tags, tag{key, tags[key]})
	}
	return reply{xml: out}, err
}
