package oracle

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

// object and list are how CloudFront's API writes things.
type object = map[string]any

func list[T any](items []T, write func(T) any) object {
	out := object{"Quantity": len(items)}
	if len(items) > 0 {
		var written []any
		for _, i := range items {
			written = append(written, write(i))
		}
		out["Items"] = written
	}
	return out
}

func asIs(s string) any { return s }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// printed is what `aws cloudfront get-distribution-config` prints of a distribution.
func printed(d *cloudfront.Distribution) []byte {
	c := &d.Config
	config := object{
		"Enabled": c.Enabled, "DefaultRootObject": c.DefaultRootObject, "Staging": false,
		"Aliases": list(c.Aliases, asIs),
		"Origins": list(c.Origins, func(o cloudfront.Origin) any {
			return object{"Id": o.ID, "DomainName": o.Domain, "OriginPath": o.Path}
		}),
		"OriginGroups":         object{"Quantity": 0},
		"DefaultCacheBehavior": behavior(c.Default),
		"CacheBehaviors":       list(c.Behaviors, func(b cloudfront.Behavior) any { return behavior(b) }),
		"CustomErrorResponses": list(c.Errors, func(e cloudfront.ErrorResponse) any {
			code := ""
			if e.ResponseCode != 0 {
				code = strconv.Itoa(e.ResponseCode)
			}
			return object{
				"ErrorCode": e.Code, "ResponsePagePath": e.PagePath, "ResponseCode": code, "ErrorCachingMinTTL": seconds(e.CachingMinTTL),
			}
		}),
	}
	if c.CacheTagHeader != "" {
		config["CacheTagConfig"] = object{"HeaderName": c.CacheTagHeader}
	}
	return write(object{"ETag": d.ETag, "DistributionConfig": config})
}

func behavior(b cloudfront.Behavior) object {
	out := object{"TargetOriginId": b.TargetOriginID, "CachePolicyId": b.CachePolicy.ID, "Compress": b.Compress}
	if b.PathPattern != "" {
		out["PathPattern"] = b.PathPattern
	}
	return out
}

// printedPolicy is what `aws cloudfront get-cache-policy` prints.
func printedPolicy(p *cloudfront.CachePolicy) []byte {
	query := object{"QueryStringBehavior": p.QueryStrings.Behavior}
	if len(p.QueryStrings.Names) > 0 {
		query["QueryStrings"] = list(p.QueryStrings.Names, asIs)
	}
	return write(object{"CachePolicy": object{"Id": p.ID, "CachePolicyConfig": object{
		"Name": p.Name, "MinTTL": seconds(p.MinTTL), "DefaultTTL": seconds(p.DefaultTTL), "MaxTTL": seconds(p.MaxTTL),
		"ParametersInCacheKeyAndForwardedToOrigin": object{"QueryStringsConfig": query},
	}}})
}

func write(o object) []byte {
	out, _ := json.Marshal(o) // strings, numbers and booleans always marshal
	return out
}
