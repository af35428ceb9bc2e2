package lambda

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestFunctionLifecycle(t *testing.T) {
	w := newWorld(t, Options{})
	role := w.role(accountB, "worker")
	w.objects["code/worker.zip"] = zipped(t, map[string][]byte{"bootstrap": bootstrap})
	client := w.client(w.root[accountB])
	made, err := client.CreateFunction(t.Context(), &api.CreateFunctionInput{
		FunctionName: aws.String("worker"), Role: &role, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"),
		Code:          &types.FunctionCode{S3Bucket: aws.String("code"), S3Key: aws.String("worker.zip")},
		Architectures: []types.Architecture{types.Architecture(architecture())}, MemorySize: aws.Int32(256), Timeout: aws.Int32(30),
		Environment: &types.Environment{Variables: map[string]string{"DISTRIBUTION_ID": "E1"}}, Description: aws.String("first"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(made.FunctionArn) != workerARN || made.State != types.StateActive || len(aws.ToString(made.CodeSha256)) != 44 {
		t.Errorf("made %+v", made)
	}
	waiter := api.NewFunctionActiveV2Waiter(client)
	if err := waiter.Wait(t.Context(), &api.GetFunctionInput{FunctionName: aws.String("worker")}, 1e9); err != nil {
		t.Error(err)
	}
	got, err := client.GetFunctionConfiguration(t.Context(), &api.GetFunctionConfigurationInput{FunctionName: aws.String(workerARN)})
	if err != nil || aws.ToInt32(got.MemorySize) != 256 || aws.ToInt32(got.Timeout) != 30 || got.Environment.Variables["DISTRIBUTION_ID"] != "E1" ||
		aws.ToString(got.LoggingConfig.LogGroup) != "/aws/lambda/worker" {
		t.Errorf("got %+v, %v", got, err)
	}
	changed, err := client.UpdateFunctionConfiguration(t.Context(), &api.UpdateFunctionConfigurationInput{
		FunctionName: aws.String("worker"), Timeout: aws.Int32(5), RevisionId: got.RevisionId,
	})
	if err != nil || aws.ToInt32(changed.Timeout) != 5 || aws.ToInt32(changed.MemorySize) != 256 {
		t.Errorf("changed %+v, %v", changed, err)
	}
	_, err = client.UpdateFunctionConfiguration(t.Context(), &api.UpdateFunctionConfigurationInput{
		FunctionName: aws.String("worker"), Timeout: aws.Int32(6), RevisionId: got.RevisionId,
	})
	wantAPIError(t, err, "PreconditionFailedException")
	list, err := client.ListFunctions(t.Context(), &api.ListFunctionsInput{})
	if err != nil || len(list.Functions) != 1 || aws.ToString(list.Functions[0].FunctionName) != "worker" {
		t.Errorf("list %+v, %v", list, err)
	}
	if _, err := client.DeleteFunction(t.Context(), &api.DeleteFunctionInput{FunctionName: aws.String("worker")}); err != nil {
		t.Fatal(err)
	}
	_, err = client.GetFunction(t.Context(), &api.GetFunctionInput{FunctionName: aws.String("worker")})
	wantAPIError(t, err, "ResourceNotFoundException")
}

func TestCreateRefused(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "taken")
	w.roleOf(accountB, "untrusting", `{"Service":"ec2.amazonaws.com"}`)
	w.role(accountA, "foreign")
	c := w.root[accountB].Caller
	other := map[string]string{"x86_64": "arm64", "arm64": "x86_64"}[architecture()]
	role := func(name string) func(*CreateInput) {
		return func(in *CreateInput) { in.Role = ptrTo("arn:aws:iam::222222222222:role/" + name) }
	}
	code := func(p Package) func(*CreateInput) { return func(in *CreateInput) { in.Code = p } }
	tests := map[string]struct {
		change        func(*CreateInput)
		code, message string
	}{
		"a role of another account": {
			func(in *CreateInput) { in.Role = ptrTo("arn:aws:iam::111111111111:role/foreign") },
			"AccessDenied", "Cross-account pass role is not allowed.",
		},
		"a role that does not trust Lambda": {role("untrusting"), "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."},
		"no such role":                      {role("nobody"), "InvalidParameterValueException", "cannot be assumed by Lambda"},
		"not a role":                        {func(in *CreateInput) { in.Role = ptrTo("worker") }, "ValidationException", "'role'"},
		"a name that is taken":              {func(in *CreateInput) { in.FunctionName = "taken" }, "ResourceConflictException", "Function already exist: taken"},
		"a bad name":                        {func(in *CreateInput) { in.FunctionName = "a b" }, "ValidationException", "'functionName'"},
		"another runtime":                   {func(in *CreateInput) { in.Runtime = ptrTo("nodejs20.x") }, "NotEmulated", "nodejs20.x"},
		"the other architecture":            {func(in *CreateInput) { in.Architectures = []string{other} }, "NotEmulated", "the architecture " + other},
		"both architectures":                {func(in *CreateInput) { in.Architectures = []string{"x86_64", "arm64"} }, "InvalidParameterValueException", "architectures"},
		"an image":                          {func(in *CreateInput) { in.PackageType = "Image" }, "NotEmulated", "Image"},
		"no handler":                        {func(in *CreateInput) { in.Handler = nil }, "InvalidParameterValueException", "Handler"},
		"no time":                           {func(in *CreateInput) { in.Timeout = ptrTo(0) }, "ValidationException", "'timeout'"},
		"too much time":                     {func(in *CreateInput) { in.Timeout = ptrTo(901) }, "ValidationException", "'timeout'"},
		"little memory":                     {func(in *CreateInput) { in.MemorySize = ptrTo(64) }, "ValidationException", "'memorySize'"},
		"JSON logs":                         {func(in *CreateInput) { in.LoggingConfig = &Logging{LogFormat: "JSON"} }, "NotEmulated", "JSON"},
		"tracing":                           {func(in *CreateInput) { in.TracingConfig = &Tracing{"Active"} }, "NotEmulated", "Active"},
		"storage":                           {func(in *CreateInput) { in.EphemeralStorage = &Storage{1024} }, "NotEmulated", "1024"},
		"a long description":                {func(in *CreateInput) { in.Description = ptrTo(strings.Repeat("x", 257)) }, "ValidationException", "'description'"},
		"a reserved variable": {
			func(in *CreateInput) { in.Environment = &Environment{map[string]string{"AWS_REGION": "x"}} },
			"InvalidParameterValueException", "Reserved keys used in this request: AWS_REGION",
		},
		"a bad variable": {func(in *CreateInput) { in.Environment = &Environment{map[string]string{"1A": "x"}} }, "ValidationException", "1A"},
		"much environment": {
			func(in *CreateInput) {
				in.Environment = &Environment{map[string]string{"BIG": strings.Repeat("x", 4096)}}
			},
			"InvalidParameterValueException", "exceeded the 4KB limit",
		},
		"no code":          {code(Package{}), "InvalidParameterValueException", "source for function code"},
		"two codes":        {code(Package{ZipFile: []byte("x"), S3Key: "k"}), "InvalidParameterValueException", "other FunctionCode"},
		"not a zip":        {code(Package{ZipFile: []byte("hello")}), "InvalidParameterValueException", "Could not unzip"},
		"code not in S3":   {code(Package{S3Bucket: "b", S3Key: "k"}), "InvalidParameterValueException", "S3 Error Code: NoSuchKey"},
		"a way out":        {code(Package{ZipFile: zipped(t, map[string][]byte{"../bootstrap": nil})}), "InvalidParameterValueException", "outside"},
		"an absolute path": {code(Package{ZipFile: zipped(t, map[string][]byte{"/bootstrap": nil})}), "InvalidParameterValueException", "outside"},
		"a link":           {code(Package{ZipFile: linked(t)}), "NotEmulated", "links"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := CreateInput{
				FunctionName: "fresh", Architectures: []string{architecture()}, Code: Package{ZipFile: zipped(t, map[string][]byte{"bootstrap": nil})},
				Settings: Settings{Runtime: ptrTo(theRuntime), Handler: ptrTo("bootstrap"), Role: ptrTo("arn:aws:iam::222222222222:role/taken")},
			}
			test.change(&in)
			_, err := w.lambda.Create(t.Context(), c, region, in)
			if errorCode(err) != test.code || !strings.Contains(err.Error(), test.message) {
				t.Errorf("%v, want %s: %s", err, test.code, test.message)
			}
		})
	}
}

// linked is a zip with a symbolic link in it.
func linked(t *testing.T) []byte {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	h := &zip.FileHeader{Name: "bootstrap"}
	h.SetMode(os.ModeSymlink | 0o777)
	f, err := w.CreateHeader(h)
	if err == nil {
		_, err = f.Write([]byte("/bin/true"))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestPassRole: whoever makes a function needs its own grants besides lambda:CreateFunction.
func TestPassRole(t *testing.T) {
	role := "arn:aws:iam::222222222222:role/worker"
	pass := `{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + role + `","Condition":{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}}`
	toEC2 := strings.Replace(pass, "lambda.", "ec2.", 1)
	create, get := allow("lambda:CreateFunction", workerARN), allow("s3:GetObject", "arn:aws:s3:::code/worker.zip")
	tests := map[string]struct {
		statements []string
		message    string // of the denial; "" allowed
	}{
		"all":                  {[]string{create, pass, get}, ""},
		"no create":            {[]string{pass, get}, "lambda:CreateFunction"},
		"no pass":              {[]string{create, get}, "iam:PassRole"},
		"pass to another":      {[]string{create, get, toEC2}, "iam:PassRole"},
		"no code":              {[]string{create, pass}, "Your access has been denied by S3"},
		"another function too": {[]string{allow("lambda:CreateFunction", workerARN+"2"), pass, get}, "lambda:CreateFunction"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.role(accountB, "worker")
			w.objects["code/worker.zip"] = zipped(t, map[string][]byte{"bootstrap": nil})
			deployer := w.session(w.roleOf(accountB, "deployer", `{"AWS":"222222222222"}`, test.statements...))
			_, err := w.lambda.Create(t.Context(), deployer.Caller, region, CreateInput{
				FunctionName: "worker", Architectures: []string{architecture()}, Code: Package{S3Bucket: "code", S3Key: "worker.zip"},
				Settings: Settings{Runtime: ptrTo(theRuntime), Handler: ptrTo("bootstrap"), Role: &role},
			})
			if test.message == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if errorCode(err) != "AccessDenied" || !strings.Contains(err.Error(), test.message) {
				t.Errorf("%v, want %s", err, test.message)
			}
		})
	}
}

func TestUnknownThingsAreRefused(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker")
	client := w.client(w.root[accountB])
	tests := map[string]func() error{
		"a parameter": func() error {
			_, err := client.UpdateFunctionConfiguration(t.Context(), &api.UpdateFunctionConfigurationInput{FunctionName: aws.String("worker"), Layers: []string{"x"}})
			return err
		},
		"an operation": func() error {
			_, err := client.GetFunctionUrlConfig(t.Context(), &api.GetFunctionUrlConfigInput{FunctionName: aws.String("worker")})
			return err
		},
		"a page": func() error {
			_, err := client.ListFunctions(t.Context(), &api.ListFunctionsInput{FunctionVersion: types.FunctionVersionAll})
			return err
		},
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) { wantAPIError(t, do(), "NotEmulated") })
	}
}

func TestCodeIsReadOnly(t *testing.T) {
	w := newWorld(t, Options{})
	c, err := w.lambda.unpack(zipped(t, map[string][]byte{"bootstrap": nil, "data/a.txt": []byte("a")}))
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.lambda.unpack(zipped(t, map[string][]byte{"bootstrap": nil}))
	if err != nil || again.dir == c.dir {
		t.Errorf("two packages in one directory, %v", err)
	}
	info, err := os.Stat(filepath.Join(c.dir, "data", "a.txt"))
	if err != nil || info.Mode().Perm()&0o222 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// What rehearsals share is unpacked by the first alone, and outlives it.
func TestPackagesAreShared(t *testing.T) {
	shared := t.TempDir()
	zip := zipped(t, map[string][]byte{"bootstrap": []byte("x")})
	var files []os.FileInfo
	for range 2 {
		w := newWorld(t, Options{Packages: shared})
		c, err := w.lambda.unpack(zip)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(c.dir, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, info)
		if err := w.lambda.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !os.SameFile(files[0], files[1]) {
		t.Error("the same code was unpacked twice")
	}
	if left, err := os.ReadDir(shared); err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v", left, err)
	}
}
