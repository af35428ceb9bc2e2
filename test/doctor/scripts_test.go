package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/unstale/unstale/test/commandline"
)

// Each script is a person at a shell who has a profile of each account, and the stacks of route assume.
func TestScripts(t *testing.T) {
	s := set(t, "assume")
	p := profiles(t, s)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	zips := lambdas(t)
	testscript.Run(t, testscript.Params{
		Dir: "scripts",
		Setup: func(e *testscript.Env) error {
			bin := filepath.Join(e.WorkDir, ".bin")
			if err := os.Mkdir(bin, 0o700); err != nil {
				return err
			}
			e.Vars = append(
				e.Vars, "PATH="+bin, "HOME="+e.WorkDir, commandline.Variable+"=1", "AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL="+s.World.URL(),
				"AWS_CONFIG_FILE="+filepath.Join(p.files, "config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(p.files, "credentials"),
				"LAMBDAS="+zips, "DISTRIBUTION="+s.Outputs["DistributionId"], "ROLE="+s.Outputs["PurgeRoleArn"],
			)
			return os.Symlink(binary, filepath.Join(bin, "unstale"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": commandline.Exits,
			// steady FILE INTO: with the names that differ from run to run replaced.
			"steady": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(steady(ts.ReadFile(args[0]))), 0o600))
			},
			// without ACCOUNT ROLE SID: takes a statement from a role's policies.
			"without": func(_ *testscript.TestScript, _ bool, args []string) {
				without(t, s, roleOf(args[0], args[1]), args[2])
			},
		},
	})
}
