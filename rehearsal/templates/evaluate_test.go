package templates

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// testScope has parameters P=p and L=a,b, a made resource R, one whose condition is false (Off), and
// one not made yet (Later).
func testScope(t *testing.T) *scope {
	t.Helper()
	tmpl := mustLoad(t, `{"Parameters":{"P":{"Type":"String"},"L":{"Type":"CommaDelimitedList"}},
		"Conditions":{"Yes":{"Fn::Equals":["1","1"]},"No":{"Fn::Not":[{"Condition":"Yes"}]}},
		"Resources":{"R":{"Type":"T"},"Off":{"Type":"T","Condition":"No"},"Later":{"Type":"T"}}}`)
	sc := &scope{
		template: tmpl, parameters: map[string]string{"P": "p", "L": "a, b"}, pseudo: map[string]string{"AWS::Region": "us-east-1"},
		made: map[string]Resource{"R": {Ref: "ref", Attributes: map[string]string{"Arn": "arn:r"}}},
	}
	if err := sc.decideConditions(); err != nil {
		t.Fatal(err)
	}
	return sc
}

func TestFunctions(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"literal":                   {`{"A":[1,true,"x"]}`, `{"A":[1,true,"x"]}`},
		"ref to a parameter":        {`{"Ref":"P"}`, `"p"`},
		"ref to a list":             {`{"Ref":"L"}`, `["a","b"]`},
		"ref to a resource":         {`{"Ref":"R"}`, `"ref"`},
		"pseudo parameter":          {`{"Ref":"AWS::Region"}`, `"us-east-1"`},
		"attribute as a list":       {`{"Fn::GetAtt":["R","Arn"]}`, `"arn:r"`},
		"attribute as text":         {`{"Fn::GetAtt":"R.Arn"}`, `"arn:r"`},
		"sub":                       {`{"Fn::Sub":"${P}-${AWS::Region}-${R.Arn}-${R}"}`, `"p-us-east-1-arn:r-ref"`},
		"sub with a map":            {`{"Fn::Sub":["${x}${P}",{"x":{"Ref":"R"}}]}`, `"refp"`},
		"sub keeps a literal":       {`{"Fn::Sub":"${!aws:username} $ {P}"}`, `"${aws:username} $ {P}"`},
		"join":                      {`{"Fn::Join":["-",["a",{"Ref":"P"},{"Ref":"AWS::NoValue"}]]}`, `"a-p"`},
		"if":                        {`{"Fn::If":["Yes","y",{"Ref":"Off"}]}`, `"y"`},
		"no value drops a property": {`{"A":{"Fn::If":["No","y",{"Ref":"AWS::NoValue"}]},"B":1}`, `{"B":1}`},
		"two keys are no function":  {`{"Ref":"P","Other":1}`, `{"Ref":"P","Other":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := testScope(t).value("X", parse(t, c.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parse(t, c.want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFunctionErrors(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"unknown function":     {`{"Fn::Select":[0,["a"]]}`, "does not emulate the function Fn::Select (X)"},
		"ref to nothing":       {`{"Ref":"Nope"}`, "refers to Nope"},
		"condition is false":   {`{"Ref":"Off"}`, "whose condition No is false"},
		"not made yet":         {`{"Ref":"Later"}`, "before it exists"},
		"no such attribute":    {`{"Fn::GetAtt":["R","Name"]}`, "no attribute Name"},
		"malformed attribute":  {`{"Fn::GetAtt":["R"]}`, "a resource and an attribute name"},
		"open brace":           {`{"Fn::Sub":"${P"}`, "no closing brace"},
		"sub of a list":        {`{"Fn::Sub":"${L}"}`, "a text is needed here"},
		"malformed sub":        {`{"Fn::Sub":["x"]}`, "a text and an object"},
		"join without a list":  {`{"Fn::Join":["-","x"]}`, "takes a list"},
		"malformed join":       {`{"Fn::Join":"x"}`, "a delimiter and a list"},
		"if of nothing":        {`{"Fn::If":["Maybe","a","b"]}`, "unresolved condition dependency Maybe"},
		"if of two":            {`{"Fn::If":["Yes","a"]}`, "two values"},
		"ref of a list":        {`{"Ref":["P"]}`, "takes a name"},
		"error inside a list":  {`{"A":[{"Ref":"Nope"}]}`, "X.A[0]"},
		"error inside a map":   {`{"Fn::Sub":["${x}",{"x":{"Ref":"Nope"}}]}`, "refers to Nope"},
		"error inside a joint": {`{"Fn::Join":["",[{"Ref":"L"}]]}`, "a text is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := testScope(t).value("X", parse(t, c.in))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("value(%s) = %v, want an error with %q", c.in, err, c.want)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	for name, c := range map[string]struct {
		conditions string
		want       map[string]bool
		err        string
	}{
		"equals":    {`{"A":{"Fn::Equals":[{"Ref":"P"},"p"]},"B":{"Fn::Equals":["x","y"]}}`, map[string]bool{"A": true, "B": false}, ""},
		"and or":    {`{"T":{"Fn::Equals":["1","1"]},"F":{"Fn::Equals":["1","2"]},"And":{"Fn::And":[{"Condition":"T"},{"Condition":"F"}]},"Or":{"Fn::Or":[{"Condition":"F"},{"Condition":"T"}]}}`, map[string]bool{"T": true, "F": false, "And": false, "Or": true}, ""},
		"circle":    {`{"A":{"Condition":"B"},"B":{"Condition":"A"}}`, nil, "depends on itself"},
		"undefined": {`{"A":{"Condition":"B"}}`, nil, "condition B is not defined"},
		"unknown":   {`{"A":{"Fn::Contains":[["a"],"a"]}}`, nil, "does not emulate the condition function Fn::Contains"},
		"too few":   {`{"A":{"Fn::And":[{"Condition":"A"}]}}`, nil, "takes 2 to 10"},
		"no call":   {`{"A":"yes"}`, nil, "is one function call"},
		"resource":  {`{"A":{"Fn::Equals":[{"Ref":"R"},"x"]}}`, nil, "before it exists"},
	} {
		t.Run(name, func(t *testing.T) {
			sc := &scope{parameters: map[string]string{"P": "p"}, made: map[string]Resource{}}
			sc.template = mustLoad(t, `{"Parameters":{"P":{"Type":"String"}},"Conditions":`+c.conditions+`,"Resources":{"R":{"Type":"T"}}}`)
			err := sc.decideConditions()
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("err = %v, want %q", err, c.err)
				}
				return
			}
			if diff := cmp.Diff(c.want, sc.conditions); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
}

func TestOrderPutsDependenciesFirst(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(rt, "resources")
		needs := map[string][]string{}
		var parts []string
		for i := range n {
			id := fmt.Sprintf("R%d", i)
			for j := range i { // only backwards, so that there is no circle
				if rapid.Bool().Draw(rt, "edge") {
					needs[id] = append(needs[id], fmt.Sprintf("R%d", j))
				}
			}
			// The names sort against the dependencies, so that sorting alone is not enough.
			how := rapid.SampledFrom([]string{"DependsOn", "Ref", "Sub", "GetAtt"}).Draw(rt, "how")
			parts = append(parts, resourceNeeding(renamed(id, n), how, needs[id], n))
		}
		tmpl, err := Load([]byte(`{"Resources":{` + strings.Join(parts, ",") + `}}`))
		if err != nil {
			rt.Fatal(err)
		}
		order, err := (&scope{template: tmpl}).order()
		if err != nil {
			rt.Fatal(err)
		}
		if len(order) != n {
			rt.Fatalf("order has %d of %d resources: %v", len(order), n, order)
		}
		for id, others := range needs {
			for _, other := range others {
				if slices.Index(order, renamed(other, n)) > slices.Index(order, renamed(id, n)) {
					rt.Errorf("%s comes before %s, which it needs: %v", renamed(id, n), renamed(other, n), order)
				}
			}
		}
	})
}

func renamed(id string, n int) string {
	var i int
	_, _ = fmt.Sscanf(id, "R%d", &i)
	return fmt.Sprintf("N%02d", n-i)
}

func resourceNeeding(id, how string, needs []string, n int) string {
	var values []string
	for _, other := range needs {
		other = renamed(other, n)
		switch how {
		case "DependsOn":
			values = append(values, `"`+other+`"`)
		case "Ref":
			values = append(values, `{"Ref":"`+other+`"}`)
		case "Sub":
			values = append(values, `{"Fn::Sub":"a${`+other+`}"}`)
		case "GetAtt":
			values = append(values, `{"Fn::GetAtt":["`+other+`","Arn"]}`)
		}
	}
	list := "[" + strings.Join(values, ",") + "]"
	if how == "DependsOn" {
		return `"` + id + `":{"Type":"T","DependsOn":` + list + `}`
	}
	return `"` + id + `":{"Type":"T","Properties":{"P":` + list + `}}`
}

func TestOrderNamesTheCircle(t *testing.T) {
	tmpl := mustLoad(t, `{"Resources":{"A":{"Type":"T","DependsOn":"B"},"B":{"Type":"T","Properties":{"P":{"Ref":"C"}}},"C":{"Type":"T","Properties":{"P":{"Fn::GetAtt":"A.Arn"}}}}}`)
	_, err := (&scope{template: tmpl}).order()
	if err == nil || !strings.Contains(err.Error(), "[A, B, C, A]") {
		t.Errorf("err = %v, want the circle [A, B, C, A]", err)
	}
}

func parse(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
