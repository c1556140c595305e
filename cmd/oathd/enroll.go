package main

import (
	"github.com/spf13/cobra"

	"github.com/oathd/oathd/hw/piv"
)

// enrollVerb is the hidden sub-command in which the daemon runs itself again to set up an escrow slot.
const enrollVerb = "piv-enroll"

// enrollCommand is the child of enroller: a request comes in on stdin, the result goes out on stdout.
func enrollCommand() *cobra.Command {
	return &cobra.Command{
		Use:    enrollVerb,
		Short:  "Set up an escrow slot (run by the daemon)",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			return piv.ServeEnroll(c.InOrStdin(), c.OutOrStdout())
		},
	}
}

// enroller sets up escrow slots in a child process of this program.
func enroller() piv.Enroller { return piv.Enroller{Args: []string{"oathd", enrollVerb}} }
