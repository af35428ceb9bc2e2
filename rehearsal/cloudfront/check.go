package cloudfront

import (
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

var (
	httpVersions     = []string{"http1.1", "http2", "http3", "http2and3"}
	priceClasses     = []string{"PriceClass_All", "PriceClass_200", "PriceClass_100"}
	protocolPolicies = []string{"allow-all", "https-only", "redirect-to-https"}
	// errorCodes are the origin's codes that may be answered otherwise. Source: Developer Guide,
	// "Error pages and error caching" (H).
	errorCodes = []int{400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}
)

// checkConfig refuses what AWS refuses, with AWS's codes where they are known.
func checkConfig(c Config) error {
	switch {
	case !slices.Contains(httpVersions, c.HTTPVersion):
		return invalid("The HTTP version %q is not one of %s.", c.HTTPVersion, strings.Join(httpVersions, ", "))
	case !slices.Contains(priceClasses, c.PriceClass):
		return invalid("The price class %q is not one of %s.", c.PriceClass, strings.Join(priceClasses, ", "))
	case len(c.Comment) > 128:
		return invalid("The comment has more than 128 characters.")
	case strings.HasPrefix(c.DefaultRootObject, "/") || len(c.DefaultRootObject) > 255:
		return wire.Errorf(400, "InvalidDefaultRootObject",
			"The default root object file name is too big or contains an invalid character.")
	case len(c.Aliases) > 0 && c.Certificate.ACMArn == "":
		return wire.Errorf(400, "InvalidViewerCertificate",
			"To add an alternate domain name (CNAME) to a CloudFront distribution, you must attach a trusted certificate that validates your authorization to use the domain name.")
	}
	if err := checkOrigins(c.Origins); err != nil {
		return err
	}
	if err := checkBehavior(&c, c.Default); err != nil {
		return err
	}
	var patterns []string
	for _, b := range c.Behaviors {
		if b.PathPattern == "" || slices.Contains(patterns, b.PathPattern) {
			return invalid("The path pattern %q is empty or used twice.", b.PathPattern)
		}
		patterns = append(patterns, b.PathPattern)
		if err := checkBehavior(&c, b); err != nil {
			return err
		}
	}
	return checkErrors(c.Errors)
}

func checkOrigins(origins []Origin) error {
	if len(origins) == 0 {
		return invalid("The distribution has no origin.")
	}
	var ids []string
	for _, o := range origins {
		switch {
		case o.ID == "" || slices.Contains(ids, o.ID):
			return invalid("The origin ID %q is empty or used twice.", o.ID)
		case o.Bucket() == "":
			return wire.NotEmulated("the origin %q: only buckets' REST endpoints are", o.Domain)
		case o.Path != "" && (!strings.HasPrefix(o.Path, "/") || strings.HasSuffix(o.Path, "/")):
			return invalid("The origin path %q must begin with a slash and not end with one.", o.Path)
		}
		ids = append(ids, o.ID)
	}
	return nil
}

func checkBehavior(c *Config, b Behavior) error {
	if _, ok := c.OriginByID(b.TargetOriginID); !ok {
		return wire.Errorf(404, "NoSuchOrigin", "One or more of your origins or origin groups do not exist.")
	}
	if !slices.Contains(protocolPolicies, b.ViewerProtocolPolicy) {
		return invalid("The viewer protocol policy %q is not one of %s.", b.ViewerProtocolPolicy, strings.Join(protocolPolicies, ", "))
	}
	return nil
}

func checkErrors(all []ErrorResponse) error {
	var codes []int
	for _, e := range all {
		switch {
		case !slices.Contains(errorCodes, e.Code) || slices.Contains(codes, e.Code):
			return wire.Errorf(400, "InvalidErrorCode", "An invalid error code was specified: %d", e.Code)
		case (e.ResponseCode == 0) != (e.PagePath == ""):
			return invalid("The error code %d has a response code or a page path without the other.", e.Code)
		case e.ResponseCode != 0 && e.ResponseCode != 200 && !slices.Contains(errorCodes, e.ResponseCode):
			return wire.Errorf(400, "InvalidResponseCode", "A response code is not valid: %d", e.ResponseCode)
		case e.PagePath != "" && !strings.HasPrefix(e.PagePath, "/"):
			return invalid("The error page %q must begin with a slash.", e.PagePath)
		case e.CachingMinTTL < 0:
			return invalid("The error caching minimum TTL is negative.")
		}
		codes = append(codes, e.Code)
	}
	return nil
}
