package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unstale/unstale/internal/deploy"
)

func newTemplate() *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:   "template [NAME]",
		Short: "Print a CloudFormation template; without NAME list them",
		Long: `Print one of the CloudFormation templates that "unstale deploy" puts into the accounts. They need neither
CDK nor Node, no bootstrap and no assets, and name no account. Without NAME they are listed.`,
		Example: `  unstale template                                    # what there is
  unstale template delivery-relay > delivery.json
  unstale template pipeline-job | jq .Parameters      # what it takes`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage{withTry(fmt.Errorf("template takes one name, but got %q", args), "unstale template %s", args[0])}
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return deploy.Templates(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if list || len(args) == 0 {
				return listTemplates(cmd.OutOrStdout())
			}
			body, err := deploy.Template(args[0])
			if err != nil {
				return usage{withTry(noSuch("template", args[0], deploy.Templates()), "one of %s", strings.Join(deploy.Templates(), ", "))}
			}
			if _, err := cmd.OutOrStdout().Write(body); err != nil {
				return fmt.Errorf("print the template: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the templates")
	return cmd
}

func listTemplates(out io.Writer) error {
	rows := [][]string{{"NAME", "WHAT IT MAKES"}}
	for _, name := range deploy.Templates() {
		body, err := deploy.Template(name)
		if err != nil {
			return err
		}
		var t struct{ Description string }
		if err := json.Unmarshal(body, &t); err != nil {
			return fmt.Errorf("read the template %s: %w", name, err)
		}
		rows = append(rows, []string{name, t.Description})
	}
	p := newPrinter(out)
	p.list(rows)
	if _, err := io.WriteString(out, p.String()); err != nil {
		return fmt.Errorf("list the templates: %w", err)
	}
	return nil
}
