package cloudfront

import (
	"cmp"
	"strconv"
)

// The shapes below are those of the service model (H). What the rehearsal does not emulate stands
// there with the value that AWS shows when it is off.

func (s *Service) distributionView(d *Distribution) element {
	return group(
		"Distribution",
		text("Id", d.ID), text("ARN", d.ARN), text("Status", "Deployed"), timestamp("LastModifiedTime", d.Modified),
		number("InProgressInvalidationBatches", s.running(d.ID)), text("DomainName", d.Domain),
		switchable("ActiveTrustedSigners", nil), activeView(d.Config.keyGroups()),
		group("DistributionConfig", configView(d.Config)...),
	)
}

func configView(c Config) []element {
	out := append(
		[]element{text("CallerReference", c.CallerReference), text("DefaultRootObject", c.DefaultRootObject)},
		sharedView(c)...,
	)
	out = append(out,
		group("Logging", boolean("Enabled", false), boolean("IncludeCookies", false), text("Bucket", ""), text("Prefix", "")),
		text("ContinuousDeploymentPolicyId", ""),
	)
	if c.CacheTagHeader != "" {
		out = append(out, group("CacheTagConfig", text("HeaderName", c.CacheTagHeader)))
	}
	return out
}

// sharedView is what a distribution's configuration and its summary in a list have in common.
func sharedView(c Config) []element {
	var origins, behaviors, errors []element
	for _, o := range c.Origins {
		origins = append(origins, originView(o))
	}
	for _, b := range c.Behaviors {
		behaviors = append(behaviors, group("CacheBehavior", append(texts("PathPattern", b.PathPattern), behaviorView(b)...)...))
	}
	for _, e := range c.Errors {
		code := ""
		if e.ResponseCode != 0 {
			code = strconv.Itoa(e.ResponseCode)
		}
		errors = append(errors, group("CustomErrorResponse", number("ErrorCode", e.Code),
			text("ResponsePagePath", e.PagePath), text("ResponseCode", code), seconds("ErrorCachingMinTTL", e.CachingMinTTL)))
	}
	return []element{
		list("Aliases", texts("CNAME", c.Aliases...)),
		list("Origins", origins), list("OriginGroups", nil),
		group("DefaultCacheBehavior", behaviorView(c.Default)...), list("CacheBehaviors", behaviors),
		list("CustomErrorResponses", errors), text("Comment", c.Comment), text("PriceClass", c.PriceClass),
		boolean("Enabled", c.Enabled), certificateView(c.Certificate),
		group("Restrictions", group("GeoRestriction", text("RestrictionType", "none"), number("Quantity", 0))),
		text("WebACLId", ""), text("HttpVersion", c.HTTPVersion), boolean("IsIPV6Enabled", c.IPv6), boolean("Staging", false),
	}
}

func certificateView(c Certificate) element {
	if c.ACMArn == "" {
		return group("ViewerCertificate", boolean("CloudFrontDefaultCertificate", true), text("SSLSupportMethod", "vip"),
			text("MinimumProtocolVersion", "TLSv1"), text("CertificateSource", "cloudfront"))
	}
	return group("ViewerCertificate", boolean("CloudFrontDefaultCertificate", false), text("ACMCertificateArn", c.ACMArn),
		text("SSLSupportMethod", c.SSLSupportMethod), text("MinimumProtocolVersion", c.MinProtocolVersion),
		text("Certificate", c.ACMArn), text("CertificateSource", "acm"))
}

func originView(o Origin) element {
	control := ""
	if o.AccessControl != nil {
		control = o.AccessControl.ID
	}
	return group(
		"Origin",
		text("Id", o.ID), text("DomainName", o.Domain), text("OriginPath", o.Path), list("CustomHeaders", nil),
		group("S3OriginConfig", text("OriginAccessIdentity", ""), number("OriginReadTimeout", 30)),
		number("ConnectionAttempts", 3), number("ConnectionTimeout", 10),
		group("OriginShield", boolean("Enabled", false)), text("OriginAccessControlId", control),
	)
}

func behaviorView(b Behavior) []element {
	methods := list("AllowedMethods", texts("Method", "HEAD", "GET"))
	methods.children = append(methods.children, list("CachedMethods", texts("Method", "HEAD", "GET")))
	return []element{
		text("TargetOriginId", b.TargetOriginID), switchable("TrustedSigners", nil), trustedView(b.KeyGroups),
		text("ViewerProtocolPolicy", b.ViewerProtocolPolicy), methods, boolean("SmoothStreaming", false),
		boolean("Compress", b.Compress), list("LambdaFunctionAssociations", nil), list("FunctionAssociations", nil),
		text("FieldLevelEncryptionId", ""), text("CachePolicyId", b.CachePolicy.ID), group("GrpcConfig", boolean("Enabled", false)),
	}
}

// switchable is a feature that is on when its list has anything.
func switchable(name string, items []element) element {
	e := list(name, items)
	e.children = append([]element{boolean("Enabled", len(items) > 0)}, e.children...)
	return e
}

func summaryView(d *Distribution) element {
	return group("DistributionSummary", append([]element{
		text("Id", d.ID), text("ARN", d.ARN), text("ETag", d.ETag), text("Status", "Deployed"),
		timestamp("LastModifiedTime", d.Modified), text("DomainName", d.Domain),
	}, sharedView(d.Config)...)...)
}

// invalidationView dates the creation for its reader, who compares it with his own clock.
func (s *Service) invalidationView(inv Invalidation) element {
	return group(
		"Invalidation",
		text("Id", inv.ID), text("Status", inv.Status), timestamp("CreateTime", s.clock.Wall(inv.Created)),
		group("InvalidationBatch", list("Paths", texts("Path", inv.Items...)), text("CallerReference", inv.Reference)),
	)
}

// invalidationSummary lacks the items and the caller reference, as AWS's does (H).
func (s *Service) invalidationSummary(inv Invalidation) element {
	return group("InvalidationSummary", text("Id", inv.ID), timestamp("CreateTime", s.clock.Wall(inv.Created)), text("Status", inv.Status))
}

func controlView(a *AccessControl) []element {
	return []element{
		text("Name", a.Name), text("Description", a.Description), text("SigningProtocol", "sigv4"),
		text("SigningBehavior", a.SigningBehavior), text("OriginAccessControlOriginType", "s3"),
	}
}

func policyView(p *CachePolicy) element {
	return group("CachePolicy", text("Id", p.ID), timestamp("LastModifiedTime", p.Modified),
		group("CachePolicyConfig", policyConfigView(p)...))
}

func policyConfigView(p *CachePolicy) []element {
	return []element{
		text("Comment", p.Comment), text("Name", p.Name),
		seconds("DefaultTTL", p.DefaultTTL), seconds("MaxTTL", p.MaxTTL), seconds("MinTTL", p.MinTTL),
		group("ParametersInCacheKeyAndForwardedToOrigin",
			boolean("EnableAcceptEncodingGzip", p.Gzip), boolean("EnableAcceptEncodingBrotli", p.Brotli),
			selectionView("Header", "Headers", p.Headers), selectionView("Cookie", "Cookies", p.Cookies),
			selectionView("QueryString", "QueryStrings", p.QueryStrings)),
	}
}

// selectionView is e.g. a HeadersConfig with its HeaderBehavior and Headers.
func selectionView(one, many string, sel Selection) element {
	e := group(many+"Config", text(one+"Behavior", cmp.Or(sel.Behavior, "none")))
	if len(sel.Names) > 0 {
		e.children = append(e.children, list(many, texts("Name", sel.Names...)))
	}
	return e
}
