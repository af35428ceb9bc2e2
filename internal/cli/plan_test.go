package cli

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/unstale/unstale/internal/report"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/site"
)

const planConfig = `{"Distribution": {"Id": "E1", "DomainName": "d1.cloudfront.net", "DistributionConfig": {
	"Enabled": true, "DefaultRootObject": "index.html", "CacheTagConfig": {"HeaderName": "x-tags"},
	"Origins": {"Quantity": 1, "Items": [{"Id": "site", "DomainName": "b.s3.us-east-1.amazonaws.com"}]},
	"DefaultCacheBehavior": {"TargetOriginId": "site", "CachePolicyId": "11111111-1111-1111-1111-111111111111"}}}}`

const planPolicy = `{"CachePolicy": {"Id": "11111111-1111-1111-1111-111111111111", "CachePolicyConfig": {
	"Name": "ours", "MinTTL": 1, "DefaultTTL": 86400, "MaxTTL": 31536000}}}`

// bench is a directory with a configuration, in which plans are made.
type bench struct {
	*testing.T
	dir string
}

func newBench(t *testing.T) bench {
	b := bench{t, t.TempDir()}
	b.write("config.json", []byte(planConfig))
	b.write("policy.json", []byte(planPolicy))
	b.write("new/index.html", []byte("two"))
	b.write("new/a.css", []byte("a"))
	b.write("old.zip", zipped(b.T, "index.html", "one", "a.css", "a"))
	return b
}

func (b bench) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func (b bench) write(name string, content []byte) {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o777); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(b.path(name), content, 0o666); err != nil {
		b.Fatal(err)
	}
}

// plan runs the command with the configuration; flags that name files of the bench begin with "@".
func (b bench) plan(flags ...string) (code int, stdout, stderr string) {
	b.Helper()
	args := []string{"plan", "--distribution-config", b.path("config.json"), "--cache-policy", b.path("policy.json")}
	for _, f := range flags {
		if name, isFile := strings.CutPrefix(f, "@"); isFile {
			f = b.path(name)
		}
		args = append(args, f)
	}
	var out, errors bytes.Buffer
	code = Main(b.Context(), args, strings.NewReader(""), &out, &errors)
	return code, out.String(), errors.String()
}

// document is the plan as JSON.
func (b bench) document(flags ...string) report.Document {
	b.Helper()
	code, stdout, stderr := b.plan(append(flags, "--json")...)
	var d report.Document
	if err := json.Unmarshal([]byte(stdout), &d); code != 0 || err != nil {
		b.Fatalf("exit code %d, %v: %s", code, err, stderr)
	}
	return d
}

// zipped makes an archive of names and contents.
func zipped(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for pair := range slices.Chunk(files, 2) {
		f, err := w.Create(pair[0])
		if err == nil {
			_, err = f.Write([]byte(pair[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// edited changes the bytes behind the last place of a signature.
func edited(archive []byte, signature string, offset int, with ...byte) []byte {
	out := bytes.Clone(archive)
	copy(out[bytes.LastIndex(out, []byte(signature))+offset:], with)
	return out
}

func TestPlanRefusesDamagedArchives(t *testing.T) {
	b := newBench(t)
	good := zipped(t, "index.html", strings.Repeat("two", 100), "a.css", "a")
	const directory = "PK\x01\x02" // of the last file; Source: APPNOTE.TXT 4.3.12
	for name, tt := range map[string]struct {
		archive []byte
		says    string
		try     string
	}{
		"truncated":     {good[:len(good)-30], "read archive: ", "pack the zip again"},
		"empty":         {nil, "read archive: ", "pack the zip again"},
		"wrong CRC":     {edited(good, directory, 16, 1, 2, 3, 4), `its content is damaged: entry "a.css": zip: checksum error`, "pack the zip again"},
		"bomb":          {edited(good, directory, 24, 0xf0, 0xff, 0xff, 0x7f), "more than deflate can", "rename the entry"},
		"overlap":       {overlapping(t), "more bytes than it has", "pack the zip again"},
		"invalid UTF-8": {zipped(t, "caf\xe9.html", "x"), `entry "caf\xe9.html" is not valid UTF-8`, "rename the entry"},
		"backslash":     {zipped(t, `docs\a.html`, "x"), "contains a backslash", "rename the entry"},
		"twice":         {zipped(t, "a", "1", "a", "2"), `entry "a" is there twice`, "rename the entry"},
		"upwards":       {zipped(t, "../a", "x"), `contains the segment ".."`, "rename the entry"},
	} {
		b.write("bad.zip", tt.archive)
		for _, flags := range [][]string{{"--site", "@bad.zip", "--previous", "@old.zip"}, {"--site", "@new", "--previous", "@bad.zip"}} {
			code, stdout, stderr := b.plan(flags...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.says) || !strings.Contains(stderr, "use "+b.path("bad.zip")+" as --") ||
				!strings.Contains(stderr, "\ntry: "+tt.try) {
				t.Errorf("%s: %v: exit code %d, says %s%s, want %q and try: %s", name, flags[0], code, stdout, stderr, tt.says, tt.try)
			}
		}
	}
}

// overlapping is an archive whose entries claim the bytes of one file again and again.
func overlapping(t *testing.T) []byte {
	t.Helper()
	big := zipped(t, "a", strings.Repeat("x", 50_000))
	at := bytes.LastIndex(big, []byte("PK\x01\x02"))
	end := bytes.LastIndex(big, []byte("PK\x05\x06"))
	entry, tail := big[at:end], bytes.Clone(big[end:])
	out := bytes.Clone(big[:at])
	for i := range 50 {
		one := bytes.Clone(entry)
		one[46] = byte('A' + i) // the name
		out = append(out, one...)
	}
	binary.LittleEndian.PutUint16(tail[8:], 50)
	binary.LittleEndian.PutUint16(tail[10:], 50)
	binary.LittleEndian.PutUint32(tail[12:], uint32(50*len(entry)))
	return append(out, tail...)
}

func TestPlanRefusesNamesOfADirectory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux's file systems hold names that are not UTF-8")
	}
	b := newBench(t)
	b.write("bad/caf\xe9.html", []byte("x"))
	code, _, stderr := b.plan("--site", "@bad", "--previous", "@old.zip")
	if code != exitUsage || !strings.Contains(stderr, `entry "caf\xe9.html" is not valid UTF-8`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestPlanFallsBackOnDamagedManifests(t *testing.T) {
	b := newBench(t)
	good := site.Manifest{Distribution: "E1", Snapshot: site.Snapshot{{Key: "index.html", Size: 3}}}.Encode()
	newer := bytes.Clone(good)
	newer[len("unstale manifest\n")] = 9
	b.write("last.manifest", good)
	if d := b.document("--site", "@new", "--previous", "@last.manifest"); d.Everything {
		t.Fatalf("the whole manifest is refused: %q", d.Notes)
	}
	for name, tt := range map[string]struct {
		content []byte
		says    string
	}{
		"empty":     {nil, "it is no manifest of unstale"},
		"cut":       {good[:len(good)-1], "its checksum is wrong"},
		"bit":       {edited(good, "unstale", 25, 0xff), "its checksum is wrong"},
		"newer":     {newer, "it has format 9"},
		"foreign":   {site.Manifest{Distribution: "E2", Snapshot: site.Snapshot{}}.Encode(), "it is of distribution E2, not of E1"},
		"no text":   {[]byte("\x00\xff\xfe"), "it is no manifest of unstale"},
		"lone head": {good[:20], "it ends early"},
	} {
		b.write("last.manifest", tt.content)
		code, _, stderr := b.plan("--site", "@new", "--previous", "@last.manifest", "--previous", "@old.zip")
		d := b.document("--site", "@new", "--previous", "@last.manifest", "--previous", "@old.zip")
		if code != 0 || !d.Everything || len(d.Items) != 1 || d.Items[0].Item != "/*" {
			t.Errorf("%s: exit code %d, %+v, want everything purged", name, code, d.Items)
		}
		if len(d.Notes) == 0 || !strings.Contains(d.Notes[0], tt.says) || !strings.Contains(stderr, "unstale: warning: "+d.Notes[0]+"\n") {
			t.Errorf("%s: says %s and notes %q, want %q", name, stderr, d.Notes, tt.says)
		}
	}
}

func TestPlanReadsPipes(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("no named pipes")
	}
	b := newBench(t)
	for name, content := range map[string][]byte{
		"zip":      zipped(t, "index.html", "one", "a.css", "a"),
		"manifest": site.Manifest{Distribution: "E1", Snapshot: site.Snapshot{{Key: "index.html", Size: 3}}}.Encode(),
	} {
		pipe := b.path(name)
		if err := syscall.Mkfifo(pipe, 0o666); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- os.WriteFile(pipe, content, 0) }()
		if d := b.document("--site", "@new", "--previous", pipe); d.Everything || d.Stale != 2 {
			t.Errorf("a %s from a pipe: %+v", name, d)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestPlanWithATag(t *testing.T) {
	b := newBench(t)
	d := b.document("--site", "@new", "--previous", "@old.zip", "--tag", "product,#Sale")
	var items []string
	for _, i := range d.Items {
		items = append(items, string(i.Item))
	}
	if !slices.Equal(items, []string{"#product", "#sale", "/", "/index.html"}) {
		t.Errorf("items %q", items)
	}
}

func TestPlanInABucketWithAPrefix(t *testing.T) {
	b := newBench(t)
	d := b.document("--site", "@new", "--previous", "@old.zip", "--bucket", "b", "--prefix", "app/")
	if len(d.Items) != 1 || d.Items[0].Item != "/app/index.html" || d.Site.Purged.Objects != 1 {
		t.Errorf("%+v", d)
	}
	code, _, stderr := b.plan("--site", "@new", "--previous", "@old.zip", "--bucket", "other")
	if code != exitUsage || !strings.Contains(stderr, "none of its behaviors reads bucket other; they read b\ntry: --bucket with") {
		t.Errorf("another bucket: %d, %s", code, stderr)
	}
}

func TestPlanText(t *testing.T) {
	d := report.Document{Version: 1, Preset: "balanced", Price: 0.01, Site: report.Site{}}
	for i := range mostLines + 5 {
		d.Items = append(d.Items, report.Item{
			Item: invalidation.Item("/" + longerPath(i)), Reason: strings.Repeat("because of this and that ", 9), Covers: 12345, Collateral: i,
		})
	}
	d.Notes = []string{strings.Repeat("a word ", 60)}
	for _, color := range []bool{false, true} {
		var out strings.Builder
		if err := writePlan(&out, d, printer{color: color}); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if strings.Contains(text, "\x1b") != color {
			t.Errorf("colours: %t, but the text is %q", color, text)
		}
		if !strings.Contains(text, "... and 5 more; --json lists all\n") {
			t.Error("the text does not say that it ends early")
		}
		for line := range strings.Lines(strings.NewReplacer(bold, "", dim, "", yellow, "", plain, "").Replace(text)) {
			if line = strings.TrimSuffix(line, "\n"); len(line) > textWidth && !strings.HasPrefix(line, "/") || strings.HasSuffix(line, " ") {
				t.Errorf("%d characters: %q", len(line), line)
			}
		}
	}
}

// longerPath is a path that gets longer.
func longerPath(i int) string {
	return fmt.Sprintf("%03d/%s", i, strings.Repeat("directory/", i/8))
}
