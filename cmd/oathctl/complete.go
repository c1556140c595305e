package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// completionPatience is how long a shell waits for names: nobody waits for a Tab.
const completionPatience = 500 * time.Millisecond

// completeAccounts offers the accounts' names as a verb's first argument.
func (a *app) completeAccounts(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(c.Context(), completionPatience)
	defer cancel()
	list, err := a.client.Accounts(ctx, "")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, account := range list {
		names = append(names, a.term.outLook.Render(account.Label()))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeKeys offers the keys' labels as a verb's first argument.
func (a *app) completeKeys(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(c.Context(), completionPatience)
	defer cancel()
	list, err := a.client.Keys(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, key := range list {
		names = append(names, a.term.outLook.Render(key.Label))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
