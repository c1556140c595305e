package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/ipc/api"
)

// completionPatience is how long a shell waits for names: nobody waits for a Tab. Where no daemon answers,
// nothing is offered and nothing is said.
const completionPatience = 500 * time.Millisecond

// completion is what cobra calls for the candidates of an argument or of a flag's value. A candidate may be
// followed by a tab and words about it.
type completion = func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// completeFiles lets the shell offer files, which is what it does for nothing else.
func completeFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completeAccounts offers accounts as a verb's first argument.
func (a *app) completeAccounts(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return named(c.Context(), a.client.AccountNames, typed)
}

// completeKeys offers keys as a verb's first argument.
func (a *app) completeKeys(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeKey(c, args, typed)
}

// completeKey offers keys as a flag's value.
func (a *app) completeKey(c *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return named(c.Context(), a.client.KeyNames, typed)
}

// completeKeyList offers keys behind those that are listed already.
func (a *app) completeKeyList(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	done := typed[:strings.LastIndex(typed, ",")+1]
	list, directive := a.completeKey(c, args, typed[len(done):])
	for i := range list {
		list[i] = done + list[i]
	}
	return list, directive
}

// completeSoftKeys offers the serial numbers of the daemon's own soft keys.
func (a *app) completeSoftKeys(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return named(c.Context(), func(ctx context.Context, _ string) (list []api.Name, err error) {
		keys, err := a.client.SoftKeys(ctx)
		for _, key := range keys {
			list = append(list, api.Name{Name: fmt.Sprint(key.Serial), Note: key.Personality})
		}
		return list, err
	}, typed)
}

// completeWords offers always the same.
func completeWords(words ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

func named(ctx context.Context, ask func(context.Context, string) ([]api.Name, error), typed string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(ctx, completionPatience)
	defer cancel()
	list, err := ask(ctx, typed)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var candidates []string
	for _, n := range list {
		candidates = append(candidates, n.Name+"\t"+n.Note)
	}
	return candidates, cobra.ShellCompDirectiveNoFileComp
}

// completes says what the values of flags are completed with.
func completes(c *cobra.Command, flags map[string]completion) {
	for name, f := range flags {
		if err := c.RegisterFlagCompletionFunc(name, f); err != nil {
			panic("a flag is completed that is not there: " + err.Error())
		}
	}
}
