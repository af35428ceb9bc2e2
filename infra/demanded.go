package infra

import (
	"cmp"
	"slices"
)

// Grants that AWS documents as needed and that a release does not exercise. Each set stands in a statement of its own, so
// that the statement beside it is exactly what is exercised.
var (
	documentedKeyUse       = []string{"kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"}
	documentedArtifactRead = []string{"s3:GetObjectVersion", "s3:ListBucket"}
	// A writer of artifacts exercises kms:GenerateDataKey, so the wildcard above would hide that.
	documentedWriterKeyUse = []string{
		"kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*",
	}
	documentedBuildArtifacts = []string{"s3:GetObjectVersion", "s3:GetBucketAcl", "s3:GetBucketLocation"}
	documentedStore          = []string{
		"s3:GetObjectVersion", "s3:PutObjectAcl", "s3:GetBucketVersioning", "s3:GetBucketAcl", "s3:GetBucketLocation",
	}
	// What the pipeline's role is to have as well where none of its actions reads artifacts.
	documentedRead    = []string{"s3:GetObject"}
	documentedDecrypt = []string{"kms:Decrypt"}
	documentedSource  = []string{"codecommit:CancelUploadArchive"}
	documentedMachine = []string{"states:DescribeStateMachine"}
)

// Demand is one action that stands in a template because AWS's documentation asks for it, not because a release uses it.
type Demand struct {
	Template  string `json:"template"`  // file name without ".template.json"
	LogicalID string `json:"logicalId"` // resource that holds the policy
	Sid       string `json:"sid"`
	Action    string `json:"action"`
	Source    string `json:"source"`
}

const (
	crossAccountGuide = "CodePipeline User Guide, pipelines-create-cross-account"
	serviceRoleGuide  = "CodePipeline User Guide, how-to-custom-role"
	buildRoleGuide    = "CodeBuild User Guide, setting-up-service-role"
	statusCodesGuide  = "CloudFront Developer Guide, HTTPStatusCodes: 404 is cached always, 403 only with a max-age"
)

// demands is what one template grants as documented.
type demands struct {
	template string
	all      []Demand
}

func (d *demands) add(logicalID, sid, source string, actions []string) {
	for _, action := range actions {
		d.all = append(d.all, Demand{d.template, logicalID, sid, action, source})
	}
}

func (d *demands) site() {
	d.add("SiteBucketPolicy", "DistributionSeesWhatIsMissing", statusCodesGuide, []string{"s3:ListBucket"})
}

func (d *demands) reader(role string) {
	d.add(role, "ReadArtifactsAsDocumented", crossAccountGuide, documentedArtifactRead)
	d.add(role, "UseKeyAsDocumented", crossAccountGuide, documentedKeyUse)
}

func (d *demands) pipeline(reads bool) {
	d.add("PipelineBuildRole", "ArtifactsAsDocumented", buildRoleGuide, documentedBuildArtifacts)
	d.add("PipelineBuildRole", "UseKeyAsDocumented", crossAccountGuide, documentedWriterKeyUse)
	if !reads {
		d.add("PipelinePolicy", "ArtifactsAsDocumented", serviceRoleGuide, documentedRead)
		d.add("PipelinePolicy", "UseKeyAsDocumented", crossAccountGuide, documentedDecrypt)
	}
	d.add("PipelinePolicy", "ArtifactsAsDocumented", serviceRoleGuide, documentedStore)
	d.add("PipelinePolicy", "SourceAsDocumented", serviceRoleGuide, documentedSource)
	d.add("PipelinePolicy", "UseKeyAsDocumented", crossAccountGuide, documentedWriterKeyUse)
}

// Demanded lists those grants: in order of template, resource, statement.
func Demanded() []Demand {
	base := &demands{template: "pipeline-base"}
	base.add("ArtifactsBucketPolicy", "DeployRoleReadsAsDocumented", crossAccountGuide, documentedArtifactRead)
	base.add("ArtifactsKey", "DeployRoleUsesKeyAsDocumented", crossAccountGuide, documentedKeyUse)
	same := &demands{template: string(SameAccount)}
	same.site()
	same.pipeline(true)
	all := append(base.all, same.all...)
	for _, route := range crossing() {
		delivery := &demands{template: "delivery-" + string(route)}
		delivery.site()
		delivery.reader("DeployRole")
		pipeline := &demands{template: "pipeline-" + string(route)}
		pipeline.pipeline(route == Assume || route == Relay)
		if route == Direct {
			delivery.reader("JobActionRole")
		}
		if route == States {
			pipeline.add("PipelinePolicy", "MachineAsDocumented", serviceRoleGuide, documentedMachine)
		}
		all = append(append(all, delivery.all...), pipeline.all...)
	}
	slices.SortStableFunc(all, func(a, b Demand) int {
		return cmp.Or(cmp.Compare(a.Template, b.Template), cmp.Compare(a.LogicalID, b.LogicalID), cmp.Compare(a.Sid, b.Sid))
	})
	return all
}
