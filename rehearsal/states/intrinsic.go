package states

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/unstale/unstale/rehearsal/wire"
)

// The intrinsic functions that are known, with how many arguments they take: at least, at most.
// Source: Developer Guide, "Intrinsic functions" (H).
var functions = map[string]struct {
	least, most int
	call        func([]any) (any, error)
}{
	"States.Format":      {2, 20, format},
	"States.Hash":        {2, 2, hash},
	"States.ArrayLength": {1, 1, arrayLength},
	"States.MathAdd":     {2, 2, mathAdd},
}

// maxNesting is how deep intrinsic functions may be nested (H).
const maxNesting = 10

// intrinsic is one call of a function.
type intrinsic struct {
	text string
	call func([]any) (any, error)
	args []any // expressions and plain values
}

func (f intrinsic) eval(sc scope) (any, error) {
	var args []any
	for _, a := range f.args {
		if e, ok := a.(expression); ok {
			v, err := e.eval(sc)
			if err != nil {
				return nil, err
			}
			a = v
		}
		args = append(args, a)
	}
	v, err := f.call(args)
	if err != nil {
		return nil, fail("States.IntrinsicFailure", "%s: %v", f.text, err)
	}
	return v, nil
}

func parseIntrinsic(text string) (expression, error) {
	p := &reader{rest: text, whole: text}
	f, err := p.function(1)
	if err != nil {
		return nil, err
	}
	if p.space(); p.rest != "" {
		return nil, p.wrong("%q is left over", p.rest)
	}
	return f, nil
}

// reader parses a call from left to right.
type reader struct{ rest, whole string }

func (p *reader) wrong(format string, args ...any) error {
	return invalidDefinition("read the intrinsic function %q: "+format, append([]any{p.whole}, args...)...)
}

func (p *reader) space() { p.rest = strings.TrimLeft(p.rest, " ") }

func (p *reader) take(token string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, token)
	p.rest = rest
	return ok
}

func (p *reader) function(depth int) (intrinsic, error) {
	name, rest, ok := strings.Cut(p.rest, "(")
	known, there := functions[strings.TrimSpace(name)]
	switch {
	case !ok:
		return intrinsic{}, p.wrong("it has no arguments")
	case !there:
		return intrinsic{}, wire.NotEmulated("the intrinsic function %s", strings.TrimSpace(name))
	case depth > maxNesting:
		return intrinsic{}, p.wrong("it nests more than %d functions", maxNesting)
	}
	f := intrinsic{text: p.whole, call: known.call}
	p.rest = rest
	for more := !p.take(")"); more; more = !p.take(")") {
		if len(f.args) > 0 && !p.take(",") {
			return f, p.wrong("%q is neither a comma nor the end", p.rest)
		}
		arg, err := p.argument(depth)
		if err != nil {
			return f, err
		}
		f.args = append(f.args, arg)
	}
	if n := len(f.args); n < known.least || n > known.most {
		return f, p.wrong("%s takes %d to %d arguments, not %d", strings.TrimSpace(name), known.least, known.most, n)
	}
	return f, nil
}

func (p *reader) argument(depth int) (any, error) {
	p.space()
	switch {
	case strings.HasPrefix(p.rest, "'"):
		return p.literal()
	case strings.HasPrefix(p.rest, "States."):
		return p.function(depth + 1)
	}
	end := strings.IndexAny(p.rest, ",) ")
	if end <= 0 {
		return nil, p.wrong("an argument is missing")
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	if strings.HasPrefix(word, "$") {
		return parsePath(word)
	}
	if _, err := strconv.ParseInt(word, 10, 32); err != nil {
		return nil, wire.NotEmulated("the argument %s of an intrinsic function: texts, whole numbers, paths and functions are known", word)
	}
	return json.Number(word), nil
}

// literal reads a text in single quotes. Of the escapes only that of the quote is known.
func (p *reader) literal() (any, error) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch {
		case p.rest[i] == '\'':
			p.rest = p.rest[i+1:]
			return b.String(), nil
		case strings.HasPrefix(p.rest[i:], `\'`):
			i++
			b.WriteByte('\'')
		case p.rest[i] == '\\':
			return nil, wire.NotEmulated("escapes in texts of intrinsic functions, other than that of the quote: %s", p.whole)
		default:
			b.WriteByte(p.rest[i])
		}
	}
	return nil, p.wrong("a text has no end")
}

// problem is what a function says of its arguments.
type problem string

func (p problem) Error() string { return string(p) }

func format(args []any) (any, error) {
	template, ok := args[0].(string)
	if !ok {
		return nil, problem("the template is not a text")
	}
	var b strings.Builder
	used := 1
	for i := 0; i < len(template); i++ {
		switch {
		case strings.HasPrefix(template[i:], "{}"):
			if used >= len(args) {
				return nil, problem("there are more {} than arguments")
			}
			text, ok := textOf(args[used])
			if !ok {
				return nil, problem("an argument is a list or an object")
			}
			b.WriteString(text)
			used, i = used+1, i+1
		case template[i] == '{' || template[i] == '}':
			return nil, problem("a brace stands alone")
		default:
			b.WriteByte(template[i])
		}
	}
	if used != len(args) {
		return nil, problem("there are more arguments than {}")
	}
	return b.String(), nil
}

// hash is SHA-256 in hexadecimal digits, of a text as it is (H: the guide's example is that of SHA-1).
func hash(args []any) (any, error) {
	data, ok := args[0].(string)
	if !ok {
		data = encode(args[0])
	}
	switch {
	case args[1] != "SHA-256":
		return nil, problem("the rehearsal does not emulate the algorithm " + encode(args[1]))
	case utf8.RuneCountInString(data) > 10_000:
		return nil, problem("the data has more than 10,000 characters")
	}
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:]), nil
}

func arrayLength(args []any) (any, error) {
	v, ok := args[0].([]any)
	if !ok {
		return nil, problem("the argument is not an array")
	}
	return json.Number(strconv.Itoa(len(v))), nil
}

// mathAdd adds integers of 32 bits (H).
func mathAdd(args []any) (any, error) {
	var sum int64
	for _, a := range args {
		n, ok := a.(json.Number)
		v, err := strconv.ParseInt(n.String(), 10, 32)
		if !ok || err != nil {
			return nil, problem("an argument is not a whole number of 32 bits")
		}
		sum += v
	}
	if sum != int64(int32(sum)) {
		return nil, problem("the sum is not a number of 32 bits")
	}
	return json.Number(strconv.FormatInt(sum, 10)), nil
}
