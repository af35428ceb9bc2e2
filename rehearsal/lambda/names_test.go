package lambda

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseTarget(t *testing.T) {
	home := place{accountA, region}
	worker := func(account, qualifier string) target {
		return target{key{place{account, region}, "worker"}, qualifier}
	}
	tests := []struct {
		name, qualifier string
		want            target
		code            string
	}{
		{"worker", "", worker(accountA, ""), ""},
		{"worker:live", "", worker(accountA, "live"), ""},
		{"worker", "live", worker(accountA, "live"), ""},
		{"worker:live", "live", worker(accountA, "live"), ""},
		{"worker:$LATEST", "", worker(accountA, "$LATEST"), ""},
		{"222222222222:function:worker", "", worker(accountB, ""), ""},
		{"222222222222:function:worker:7", "", worker(accountB, "7"), ""},
		{workerARN, "", worker(accountB, ""), ""},
		{workerARN + ":live", "", worker(accountB, "live"), ""},
		{workerARN + ":live", "test", target{}, "InvalidParameterValueException"},
		{"arn:aws:lambda:eu-west-1:222222222222:function:worker", "", target{}, "ResourceNotFoundException"},
		{"arn:aws:s3:::bucket", "", target{}, "ValidationException"},
		{"arn:aws:lambda:us-east-1:222222222222:layer:worker", "", target{}, "ValidationException"},
		{"", "", target{}, "ValidationException"},
		{"worker:", "", target{}, "ValidationException"},
		{"worker", "a b", target{}, "ValidationException"},
		{strings.Repeat("x", 65), "", target{}, "ValidationException"},
	}
	for _, test := range tests {
		t.Run(test.name+" "+test.qualifier, func(t *testing.T) {
			got, err := parseTarget(test.name, test.qualifier, home)
			if got != test.want || errorCode(err) != test.code {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// TestParseTargetReadsARNs: what arn writes, parseTarget reads.
func TestParseTargetReadsARNs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := target{
			key{
				place{rapid.StringMatching(`[0-9]{12}`).Draw(t, "account"), region},
				rapid.StringMatching(`[a-zA-Z0-9_-]{1,64}`).Draw(t, "name"),
			},
			rapid.StringMatching(`(|\$LATEST|[a-zA-Z0-9_-]{1,20})`).Draw(t, "qualifier"),
		}
		got, err := parseTarget(want.arn(), "", place{accountA, region})
		if err != nil || got != want {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}

func FuzzParseTarget(f *testing.F) {
	f.Add("worker:live", "")
	f.Add(workerARN, "live")
	f.Add("222222222222:function:worker", "$LATEST")
	f.Fuzz(func(t *testing.T, name, qualifier string) {
		got, err := parseTarget(name, qualifier, place{accountA, region})
		if err == nil && !nameRule.MatchString(got.name) {
			t.Fatalf("%q is %+v", name, got)
		}
	})
}

// FuzzUnpack: no package gets out of its directory or breaks the reader.
func FuzzUnpack(f *testing.F) {
	f.Add(zipped(f, map[string][]byte{"bootstrap": []byte("x"), "a/b": nil}))
	f.Add(zipped(f, map[string][]byte{"../bootstrap": []byte("x")}))
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &Service{dir: t.TempDir()}
		_, err := s.unpack(data)
		if code := errorCode(err); err != nil && code != "InvalidParameterValueException" && code != "NotEmulated" {
			t.Fatal(err)
		}
	})
}
