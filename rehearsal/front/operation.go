package front

import (
	"net/http"
	"net/url"
	"strings"
)

// operation names what a request asks for, as AWS calls it: by the target header, the form's Action,
// or for the REST protocols by method and path. One it does not know is "METHOD PATH".
func operation(service string, r *http.Request, body []byte) string {
	if _, name, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return name
	}
	switch service {
	case "sts", "iam", "cloudformation":
		if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
			return form.Get("Action")
		}
		return r.URL.Query().Get("Action")
	case "lambda":
		if strings.HasSuffix(r.URL.Path, "/invocations") {
			return "Invoke"
		}
	case "cloudfront":
		if name := cloudfrontOperation(r); name != "" {
			return name
		}
	case "s3":
		if name := s3Operation(r); name != "" {
			return name
		}
	}
	return r.Method + " " + r.URL.Path
}

func cloudfrontOperation(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // version, "distribution", ID, ...
	if len(parts) < 3 || parts[1] != "distribution" {
		return ""
	}
	switch rest := strings.Join(parts[3:], "/"); {
	case rest == "":
		return "GetDistribution"
	case rest == "config":
		return "GetDistributionConfig"
	case rest == "invalidation" && r.Method == http.MethodPost:
		return "CreateInvalidation"
	case rest == "invalidation":
		return "ListInvalidations"
	case strings.HasPrefix(rest, "invalidation/"):
		return "GetInvalidation"
	}
	return ""
}

func s3Operation(r *http.Request) string {
	if _, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); key == "" {
		return ""
	}
	return map[string]string{
		http.MethodGet: "GetObject", http.MethodHead: "HeadObject", http.MethodPut: "PutObject", http.MethodDelete: "DeleteObject",
	}[r.Method]
}
