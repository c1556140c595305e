package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/oathd/oathd/internal/kin"
)

// program is a verb that is a program of its own, oathctl-VERB. It is given all arguments but the verb.
func program(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use:                verb,
		Short:              short,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := kin.Find("oathctl-" + verb)
			if err != nil {
				return err
			}
			return kin.Become(path, args)
		},
	}
}

func (a *app) watchCommand() *cobra.Command {
	c := program("watch", "Show codes, keys and touches live, on the whole screen")
	c.ValidArgsFunction = a.completeAccounts
	c.Flags().Bool("all", false, "show the codes of all accounts on the screen")
	return c
}

// addProgram makes a verb of the program oathctl-VERB, if the arguments name a verb that is none of ours.
func addProgram(root *cobra.Command, args []string) {
	verb := verbIn(root, args)
	if known, _, err := root.Find([]string{verb}); verb == "" || err == nil && known != root {
		return
	}
	if _, err := kin.Find("oathctl-" + verb); err == nil {
		root.AddCommand(program(verb, "The program oathctl-"+verb))
	}
}

// verbIn returns the first argument that is neither a flag that all verbs share nor the value of one.
func verbIn(root *cobra.Command, args []string) string {
	for i := 0; i < len(args); i++ {
		name, long := strings.CutPrefix(args[i], "--")
		flag := root.PersistentFlags().Lookup(name)
		switch {
		case long && flag != nil && flag.NoOptDefVal == "":
			i++
		case !strings.HasPrefix(args[i], "-"):
			return args[i]
		}
	}
	return ""
}
