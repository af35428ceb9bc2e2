// Package gatewaytest holds what every gateway must do, as one suite for all routes, and the small
// CloudFront that the suite runs against: the API's XML over HTTP, with whatever trouble a test
// wants of it.
package gatewaytest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Replay is how CloudFront answers a reference that was used before.
type Replay int

// The answers that are known; see reference.go of package gateway.
const (
	GivesEarlier Replay = iota // the earlier invalidation, if the paths are the same, else Exists
	Exists                     // InvalidationBatchAlreadyExists
	Used                       // InvalidArgument
)

// Trouble is an error document to answer with.
type Trouble struct {
	Status        int
	Code, Message string // no Code: a page that is not AWS's
	Hang          bool   // nothing is answered until the caller gives up
	S3            bool   // written as S3 does
}

// Record is one invalidation.
type Record struct {
	ID, Reference, Status string
	Paths                 []string
	Created               time.Time
}

// CloudFront is an http.Handler that knows one distribution.
type CloudFront struct {
	Distribution string
	Replay       Replay
	Trouble      func(call string) *Trouble // asked before each call; nil: none
	// Bucket is what S3 holds in the bucket of that name, behind the same endpoint, by key.
	Bucket map[string]string

	mu      sync.Mutex
	records []Record // oldest first
	calls   []string
	regions map[string]bool
}

// Calls lists the calls made, e.g. "CreateInvalidation".
func (c *CloudFront) Calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.calls...)
}

// Regions lists the regions that calls were signed for.
func (c *CloudFront) Regions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.regions))
}

// Add puts an invalidation there and returns its ID.
func (c *CloudFront) Add(reference, status string, paths ...string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.add(reference, status, paths).ID
}

func (c *CloudFront) add(reference, status string, paths []string) Record {
	n := len(c.records) + 1
	c.records = append(c.records, Record{
		ID: fmt.Sprintf("I%013d", n), Reference: reference, Status: status, Paths: paths,
		Created: time.Date(2026, 11, 22, 12, 0, n, 0, time.UTC),
	})
	return c.records[n-1]
}

// Complete completes all invalidations.
func (c *CloudFront) Complete() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.records {
		c.records[i].Status = "Completed"
	}
}

func (c *CloudFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	path, ours := strings.CutPrefix(r.URL.Path, "/2020-05-31/distribution/")
	parts := strings.Split(path, "/")
	call := map[string]string{"GET 1": "GetDistribution", "POST 2": "CreateInvalidation", "GET 2": "ListInvalidations", "GET 3": "GetInvalidation"}[fmt.Sprint(r.Method, " ", len(parts))]
	if !ours {
		call = "GetObject"
	}
	c.calls = append(c.calls, call)
	if c.regions == nil {
		c.regions = map[string]bool{}
	}
	if scope := strings.Split(r.Header.Get("Authorization"), "/"); len(scope) > 2 && ours {
		c.regions[scope[2]] = true
	}
	if c.Trouble != nil {
		if t := c.Trouble(call); t != nil && t.Hang {
			c.mu.Unlock()                      // others are answered meanwhile
			_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the caller is gone
			<-r.Context().Done()
			c.mu.Lock()
			return
		} else if t != nil {
			t.write(w)
			return
		}
	}
	if !ours {
		c.object(w, r)
		return
	}
	if parts[0] != c.Distribution {
		(&Trouble{Status: http.StatusNotFound, Code: "NoSuchDistribution", Message: "The specified distribution does not exist."}).write(w)
		return
	}
	switch call {
	case "GetDistribution":
		w.Header().Set("ETag", "E2QWRUHAPOMQZL")
		fmt.Fprintf(w, `<Distribution><Id>%[1]s</Id><ARN>arn:aws:cloudfront::222222222222:distribution/%[1]s</ARN><Status>Deployed</Status>`+
			`<DomainName>d1.cloudfront.net</DomainName><DistributionConfig><Aliases><Quantity>1</Quantity><Items><CNAME>www.example.com</CNAME></Items></Aliases>`+
			`<DefaultRootObject>index.html</DefaultRootObject><Enabled>true</Enabled>`+
			`<Origins><Quantity>1</Quantity><Items><Origin><Id>site</Id><DomainName>`+bucket+`.s3.eu-west-1.amazonaws.com</DomainName>`+
			`<OriginPath></OriginPath></Origin></Items></Origins><DefaultCacheBehavior><TargetOriginId>site</TargetOriginId>`+
			`<CachePolicyId>658327ea-f89d-4fab-a63d-7e88639e58f6</CachePolicyId><Compress>true</Compress></DefaultCacheBehavior>`+
			`<CacheTagConfig><HeaderName>x-amz-meta-cache-tag</HeaderName></CacheTagConfig></DistributionConfig></Distribution>`, c.Distribution)
	case "CreateInvalidation":
		c.create(w, r.Body)
	case "ListInvalidations":
		c.list(w, r)
	case "GetInvalidation":
		for _, record := range c.records {
			if record.ID == parts[2] {
				record.write(w)
				return
			}
		}
		(&Trouble{Status: http.StatusNotFound, Code: "NoSuchInvalidation", Message: "The specified invalidation does not exist."}).write(w)
	}
}

// bucket is the one that the distribution reads.
const bucket = "site-bucket"

// object is S3's GetObject. S3 keeps a checksum of what was uploaded with one only: here of keys that
// end in ".summed".
func (c *CloudFront) object(w http.ResponseWriter, r *http.Request) {
	key, ok := strings.CutPrefix(r.URL.Path, "/"+bucket+"/")
	body, found := c.Bucket[key]
	if scope := strings.Split(r.Header.Get("Authorization"), "/"); len(scope) < 5 || scope[2] != "eu-west-1" || scope[3] != "s3" {
		(&Trouble{Status: http.StatusForbidden, Code: "SignatureDoesNotMatch", Message: "not signed for S3 in eu-west-1"}).bare(w)
		return
	}
	if !ok || !found {
		(&Trouble{Status: http.StatusNotFound, Code: "NoSuchKey", Message: "The specified key does not exist."}).bare(w)
		return
	}
	if strings.HasSuffix(key, ".summed") {
		sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body)))
		w.Header().Set("X-Amz-Checksum-Crc32", base64.StdEncoding.EncodeToString(sum))
		w.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = io.WriteString(w, body)
}

func (c *CloudFront) create(w http.ResponseWriter, body io.Reader) {
	var batch struct {
		Quantity  int      `xml:"Paths>Quantity"`
		Paths     []string `xml:"Paths>Items>Path"`
		Reference string   `xml:"CallerReference"`
	}
	if err := xml.NewDecoder(body).Decode(&batch); err != nil || batch.Quantity != len(batch.Paths) {
		(&Trouble{Status: http.StatusBadRequest, Code: "InconsistentQuantities", Message: "The value of Quantity and the size of Items don't match."}).write(w)
		return
	}
	for _, path := range batch.Paths {
		if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "#") {
			(&Trouble{Status: http.StatusBadRequest, Code: "InvalidArgument", Message: "Your request contains one or more invalid invalidation paths."}).write(w)
			return
		}
	}
	for _, record := range c.records {
		if record.Reference != batch.Reference {
			continue
		}
		switch {
		case c.Replay == Used:
			(&Trouble{Status: http.StatusBadRequest, Code: "InvalidArgument", Message: "Your request contains a caller reference that was used for a previous invalidation batch for the same distribution."}).write(w)
		case c.Replay == GivesEarlier && fmt.Sprint(record.Paths) == fmt.Sprint(batch.Paths):
			w.WriteHeader(http.StatusCreated)
			record.write(w)
		default:
			(&Trouble{Status: http.StatusBadRequest, Code: "InvalidationBatchAlreadyExists", Message: "The invalidation batch already exists."}).write(w)
		}
		return
	}
	w.WriteHeader(http.StatusCreated)
	c.add(batch.Reference, "InProgress", batch.Paths).write(w)
}

// list answers a page, newest first. The marker is how many came before.
func (c *CloudFront) list(w http.ResponseWriter, r *http.Request) {
	skip, _ := strconv.Atoi(r.URL.Query().Get("Marker"))
	most, _ := strconv.Atoi(r.URL.Query().Get("MaxItems"))
	end := min(skip+most, len(c.records))
	fmt.Fprintf(w, `<InvalidationList><Marker></Marker><MaxItems>%d</MaxItems><IsTruncated>%t</IsTruncated><Quantity>%d</Quantity>`, most, end < len(c.records), end-skip)
	if end < len(c.records) {
		fmt.Fprintf(w, `<NextMarker>%d</NextMarker>`, end)
	}
	fmt.Fprint(w, `<Items>`)
	for i := skip; i < end; i++ {
		record := c.records[len(c.records)-1-i]
		fmt.Fprintf(w, `<InvalidationSummary><Id>%s</Id><CreateTime>%s</CreateTime><Status>%s</Status></InvalidationSummary>`,
			record.ID, record.Created.Format(time.RFC3339), record.Status)
	}
	fmt.Fprint(w, `</Items></InvalidationList>`)
}

func (r Record) write(w io.Writer) {
	fmt.Fprintf(w, `<Invalidation><Id>%s</Id><Status>%s</Status><CreateTime>%s</CreateTime><InvalidationBatch><Paths><Quantity>%d</Quantity><Items>`,
		r.ID, r.Status, r.Created.Format(time.RFC3339), len(r.Paths))
	for _, path := range r.Paths {
		fmt.Fprint(w, `<Path>`)
		xml.EscapeText(w, []byte(path))
		fmt.Fprint(w, `</Path>`)
	}
	fmt.Fprintf(w, `</Items></Paths><CallerReference>%s</CallerReference></InvalidationBatch></Invalidation>`, r.Reference)
}

// bare is how S3 writes an error.
func (t *Trouble) bare(w http.ResponseWriter) {
	w.WriteHeader(t.Status)
	fmt.Fprintf(w, `<Error><Code>%s</Code><Message>%s</Message><RequestId>r</RequestId></Error>`, t.Code, t.Message)
}

func (t *Trouble) write(w http.ResponseWriter) {
	if t.S3 {
		t.bare(w)
		return
	}
	w.WriteHeader(t.Status)
	if t.Code == "" {
		fmt.Fprint(w, "<html>", t.Message, "</html>")
		return
	}
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, t.Code, t.Message)
}
