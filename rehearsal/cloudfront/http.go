package cloudfront

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what CloudFront clients sign with.
const SigningName = "cloudfront"

const apiVersion = "/2020-05-31/"

// answer is a result on the wire.
type answer struct {
	status   int // 0: 200
	body     element
	etag     string
	location string
}

// ServeHTTP answers CloudFront's REST-XML API. Register it under the signing name "cloudfront" with
// wire.WriteXMLError.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := front.From(r.Context())
	a, err := s.route(r, call)
	if err != nil {
		wire.WriteXMLError(w, call.RequestID, err)
		return
	}
	if a.etag != "" {
		w.Header().Set("ETag", a.etag)
	}
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	wire.WriteXML(w, call.RequestID, a.status, document{a.body})
}

// route finds the operation by method and path, as the service model does. Clients put IDs where
// "*" stands.
func (s *Service) route(r *http.Request, call front.Call) (answer, error) {
	path, ok := strings.CutPrefix(r.URL.Path, apiVersion)
	if !ok {
		return answer{}, wire.NotEmulated("CloudFront's %s %s", r.Method, r.URL.Path)
	}
	// Listings go with and without a final slash.
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	ids := make([]string, 0, 2)
	shape := r.Method + " " + parts[0]
	for i, part := range parts[1:] {
		if i%2 == 0 {
			ids = append(ids, part)
			part = "*"
		}
		shape += "/" + part
	}
	op, ok := operations[shape]
	if !ok {
		return answer{}, wire.NotEmulated("CloudFront's %s %s", r.Method, r.URL.Path)
	}
	for name := range r.URL.Query() {
		if !slices.Contains(op.parameters, name) {
			return answer{}, wire.NotEmulated("the parameter %s of CloudFront's %s %s", name, r.Method, r.URL.Path)
		}
	}
	return op.serve(s, request{r, call, ids})
}

type request struct {
	http *http.Request
	call front.Call
	ids  []string
}

func (r request) caller() accounts.Caller { return r.call.Caller }

type operation struct {
	parameters []string // of the query string
	serve      func(*Service, request) (answer, error)
}

var paging = []string{"Marker", "MaxItems"}

var operations = map[string]operation{
	"GET distribution":                   {paging, (*Service).listDistributions},
	"GET distribution/*":                 {nil, (*Service).getDistribution},
	"GET distribution/*/config":          {nil, (*Service).getDistributionConfig},
	"POST distribution/*/invalidation":   {nil, (*Service).createInvalidation},
	"GET distribution/*/invalidation":    {paging, (*Service).listInvalidations},
	"GET distribution/*/invalidation/*":  {nil, (*Service).getInvalidation},
	"GET origin-access-control/*":        {nil, (*Service).getControl},
	"GET origin-access-control/*/config": {nil, (*Service).getControlConfig},
	"GET cache-policy":                   {append([]string{"Type"}, paging...), (*Service).listPolicies},
	"GET cache-policy/*":                 {nil, (*Service).getPolicy},
	"GET cache-policy/*/config":          {nil, (*Service).getPolicyConfig},
	"GET public-key":                     {paging, (*Service).listPublicKeys},
	"GET public-key/*":                   {nil, (*Service).getPublicKey},
	"GET public-key/*/config":            {nil, (*Service).getPublicKeyConfig},
	"GET key-group":                      {paging, (*Service).listKeyGroups},
	"GET key-group/*":                    {nil, (*Service).getKeyGroup},
	"GET key-group/*/config":             {nil, (*Service).getKeyGroupConfig},
}

func (s *Service) listDistributions(r request) (answer, error) {
	all, err := s.ListDistributions(r.http.Context(), r.caller())
	if err != nil {
		return answer{}, err
	}
	return page(r, "DistributionList", all, func(d *Distribution) string { return d.ID }, summaryView)
}

func (s *Service) getDistribution(r request) (answer, error) {
	d, err := s.GetDistribution(r.http.Context(), r.caller(), r.ids[0])
	if err != nil {
		return answer{}, err
	}
	return answer{body: s.distributionView(d), etag: d.ETag}, nil
}

func (s *Service) getDistributionConfig(r request) (answer, error) {
	d, err := s.distribution(r.caller(), "GetDistributionConfig", r.ids[0])
	if err != nil {
		return answer{}, err
	}
	return answer{body: group("DistributionConfig", configView(d.Config)...), etag: d.ETag}, nil
}

// batch is the body of CreateInvalidation. What it does not name ends up in Other and is refused.
type batch struct {
	XMLName xml.Name `xml:"InvalidationBatch"`
	Paths   struct {
		Quantity *int     `xml:"Quantity"`
		Items    []string `xml:"Items>Path"`
		Other    []other  `xml:",any"`
	} `xml:"Paths"`
	CallerReference string  `xml:"CallerReference"`
	Other           []other `xml:",any"`
}

type other struct{ XMLName xml.Name }

func (s *Service) createInvalidation(r request) (answer, error) {
	b, err := decodeBatch(r.call.Body)
	if err != nil {
		return answer{}, err
	}
	id := r.ids[0]
	inv, _, err := s.CreateInvalidation(r.http.Context(), r.caller(), id, b.Paths.Items, b.CallerReference)
	if err != nil {
		return answer{}, err
	}
	// A batch that is found again is answered as the first time (M: AWS documents only that it is
	// returned).
	return answer{
		status: http.StatusCreated, body: s.invalidationView(inv),
		location: "https://cloudfront.amazonaws.com" + apiVersion + "distribution/" + id + "/invalidation/" + inv.ID,
	}, nil
}

func decodeBatch(body []byte) (batch, error) {
	var b batch
	if len(body) == 0 {
		return b, wire.Errorf(400, "MissingBody",
			"This operation requires a body. Ensure that the body is present and the Content-Type header is set.")
	}
	if err := xml.Unmarshal(body, &b); err != nil {
		return b, wire.Errorf(400, "MalformedXML", "The XML document is malformed: %v", err)
	}
	for _, o := range append(b.Other, b.Paths.Other...) {
		return b, wire.NotEmulated("the element %s of an invalidation batch", o.XMLName.Local)
	}
	if b.Paths.Quantity == nil || *b.Paths.Quantity != len(b.Paths.Items) {
		return b, wire.Errorf(400, "InconsistentQuantities", "The value of Quantity and the size of Items don't match.")
	}
	return b, nil
}

func (s *Service) getInvalidation(r request) (answer, error) {
	inv, err := s.GetInvalidation(r.http.Context(), r.caller(), r.ids[0], r.ids[1])
	return answer{body: s.invalidationView(inv)}, err
}

func (s *Service) listInvalidations(r request) (answer, error) {
	all, err := s.ListInvalidations(r.http.Context(), r.caller(), r.ids[0])
	if err != nil {
		return answer{}, err
	}
	return page(r, "InvalidationList", all, func(i Invalidation) string { return i.ID }, s.invalidationSummary)
}

func (s *Service) getControl(r request) (answer, error) {
	a, err := s.GetOriginAccessControl(r.http.Context(), r.caller(), r.ids[0])
	if err != nil {
		return answer{}, err
	}
	return answer{etag: a.ETag, body: group("OriginAccessControl", text("Id", a.ID),
		group("OriginAccessControlConfig", controlView(a)...))}, nil
}

func (s *Service) getControlConfig(r request) (answer, error) {
	a, err := s.control(r.caller(), "GetOriginAccessControlConfig", r.ids[0])
	if err != nil {
		return answer{}, err
	}
	return answer{etag: a.ETag, body: group("OriginAccessControlConfig", controlView(a)...)}, nil
}

// page is one page of a listing: what follows Marker, at most MaxItems (100 at most and by default).
func page[T any](r request, name string, all []T, id func(T) string, view func(T) element) (answer, error) {
	query := r.http.URL.Query()
	size := 100
	if v := query.Get("MaxItems"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return answer{}, invalid("The parameter MaxItems is invalid: %q.", v)
		}
		size = min(n, size)
	}
	marker := query.Get("Marker")
	if marker != "" {
		i := slices.IndexFunc(all, func(t T) bool { return id(t) == marker })
		if i < 0 {
			return answer{}, invalid("The parameter Marker is invalid: %q.", marker)
		}
		all = all[i+1:]
	}
	more := len(all) > size
	all = all[:min(size, len(all))]
	items := make([]element, len(all))
	for i, t := range all {
		items[i] = view(t)
	}
	body := list(name, items)
	body.children = append(body.children, text("Marker", marker), number("MaxItems", size), boolean("IsTruncated", more))
	if more {
		body.children = append(body.children, text("NextMarker", id(all[len(all)-1])))
	}
	return answer{body: body}, nil
}
