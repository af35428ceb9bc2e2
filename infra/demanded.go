package infra

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
	documentedSource = []string{"codecommit:CancelUploadArchive"}
	documentedJob    = []string{"lambda:ListFunctions"}
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
	lambdaActionGuide = "CodePipeline User Guide, actions-invoke-lambda-function"
	buildRoleGuide    = "CodeBuild User Guide, setting-up-service-role"
	statusCodesGuide  = "CloudFront Developer Guide, HTTPStatusCodes: 404 is cached always, 403 only with a max-age"
)

// Demanded lists those grants: in order of template, resource, statement.
func Demanded() []Demand {
	var all []Demand
	add := func(template, logicalID, sid, source string, actions ...string) {
		for _, action := range actions {
			all = append(all, Demand{template, logicalID, sid, action, source})
		}
	}
	add("delivery-relay", "DeployRole", "ReadArtifactsAsDocumented", crossAccountGuide, documentedArtifactRead...)
	add("delivery-relay", "DeployRole", "UseKeyAsDocumented", crossAccountGuide, documentedKeyUse...)
	add("delivery-relay", "SiteBucketPolicy", "DistributionSeesWhatIsMissing", statusCodesGuide, "s3:ListBucket")
	add("pipeline-base", "ArtifactsBucketPolicy", "DeployRoleReadsAsDocumented", crossAccountGuide, documentedArtifactRead...)
	add("pipeline-base", "ArtifactsKey", "DeployRoleUsesKeyAsDocumented", crossAccountGuide, documentedKeyUse...)
	add("pipeline-relay", "PipelineBuildRole", "ArtifactsAsDocumented", buildRoleGuide, documentedBuildArtifacts...)
	add("pipeline-relay", "PipelineBuildRole", "UseKeyAsDocumented", crossAccountGuide, documentedWriterKeyUse...)
	add("pipeline-relay", "PipelinePolicy", "ArtifactsAsDocumented", serviceRoleGuide, documentedStore...)
	add("pipeline-relay", "PipelinePolicy", "FindJobAsDocumented", lambdaActionGuide, documentedJob...)
	add("pipeline-relay", "PipelinePolicy", "SourceAsDocumented", serviceRoleGuide, documentedSource...)
	add("pipeline-relay", "PipelinePolicy", "UseKeyAsDocumented", crossAccountGuide, documentedWriterKeyUse...)
	return all
}
