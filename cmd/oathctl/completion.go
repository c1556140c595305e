package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// The scripts are ours and not cobra's, which evaluate what was typed, and with it names that strangers chose.
//
//go:embed shells
var shells embed.FS

var shellNames = []string{"bash", "fish", "zsh"}

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the script with which bash, fish or zsh complete verbs, flags, accounts and keys",
		Long: `Prints the script with which a shell completes oathctl's verbs and flags, and the names of accounts and
keys, which it asks of the daemon. Packages install it; else put it where the shell looks for it:

  oathctl completion bash > ~/.local/share/bash-completion/completions/oathctl
  oathctl completion fish > ~/.config/fish/completions/oathctl.fish
  oathctl completion zsh  > "${fpath[1]}/_oathctl"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeWords(shellNames...),
		RunE:              func(_ *cobra.Command, args []string) error { return a.completion(args[0]) },
	}
}

func (a *app) completion(shell string) error {
	if !slices.Contains(shellNames, shell) {
		return usagef("it is "+strings.Join(shellNames, ", "), "cannot print a script for %q", shell)
	}
	text, err := shells.ReadFile("shells/oathctl." + shell)
	if err != nil {
		return fmt.Errorf("cannot print the script: %w", err)
	}
	if a.term.json {
		return a.term.document(script{shell, string(text)})
	}
	if _, err := a.term.out.Write(text); err != nil {
		return fmt.Errorf("cannot write the answer: %w", err)
	}
	return nil
}

// candidates asks cobra what the last of the words could become. It returns the candidates, and what the shell
// is to do beside.
func (a *app) candidates(ctx context.Context, words []string) ([]string, cobra.ShellCompDirective) {
	var out bytes.Buffer
	root := a.rootFor(words[:len(words)-1])
	root.SetArgs(append([]string{cobra.ShellCompNoDescRequestCmd}, words...))
	root.SetOut(&out)
	root.SetErr(io.Discard)
	if err := root.ExecuteContext(ctx); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	last := len(lines) - 1
	directive, err := strconv.Atoi(strings.TrimPrefix(lines[last], ":"))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return lines[:last], cobra.ShellCompDirective(directive)
}
