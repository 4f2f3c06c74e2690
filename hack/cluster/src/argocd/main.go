// Argo CD without its API server: the two controllers that its core mode needs, and its interpreter of health checks and
// actions, in one program. Which one it is, its name or its first argument says.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	repository "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
)

func main() {
	name := filepath.Base(os.Args[0])
	if name == "argocd" && len(os.Args) > 1 {
		name, os.Args = os.Args[1], os.Args[1:]
	}
	if err := run(name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(name string) error {
	commands := map[string]func() *cobra.Command{
		"argocd-application-controller": controller.NewCommand,
		"argocd-repo-server":            repository.NewCommand,
	}
	if command, known := commands[name]; known {
		return command().Execute()
	}
	if name == "scripts" {
		return answerScripts(os.Stdin, os.Stdout)
	}
	return fmt.Errorf("no program %q: argocd-application-controller, argocd-repo-server or scripts", name)
}
