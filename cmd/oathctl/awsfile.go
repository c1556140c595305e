package main

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// The AWS CLI's files, and the variables that name others.
func awsConfigFile() string { return awsFile("AWS_CONFIG_FILE", "config") }

func awsCredentialsFile() string { return awsFile("AWS_SHARED_CREDENTIALS_FILE", "credentials") }

func awsFile(variable, name string) string {
	home, _ := os.UserHomeDir() // without one the file is not found, which is said
	return cmp.Or(os.Getenv(variable), filepath.Join(home, ".aws", name))
}

// awsProfiles lists the profiles of both files.
func awsProfiles() (names []string) {
	for _, file := range []string{awsConfigFile(), awsCredentialsFile()} {
		_, text, _ := readAWSFile(file) // one that cannot be read has none
		for line := range strings.Lines(text) {
			if name := sectionName(line); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return awsProfiles(), cobra.ShellCompDirectiveNoFileComp
}

// sectionName returns the profile that a line begins: "[profile NAME]", "[NAME]"; "" for any other line, and for sections of other kinds.
func sectionName(line string) string {
	line = strings.TrimSpace(line)
	end := strings.IndexByte(line, ']')
	if !strings.HasPrefix(line, "[") || end < 0 {
		return ""
	}
	name := strings.TrimSpace(line[1:end])
	for _, other := range []string{"sso-session ", "services ", "preview", "plugins"} {
		if strings.HasPrefix(name, other) {
			return ""
		}
	}
	return strings.Trim(strings.TrimSpace(strings.TrimPrefix(name, "profile ")), `"'`)
}

// withProcess gives a profile of the text a credential_process, and returns the new text and what changes, none if it has it already.
// All else stays as it is.
func withProcess(text, profile, process string) (after string, change []string) {
	setting := "credential_process = " + process
	lines := strings.SplitAfter(text, "\n")
	head := slices.IndexFunc(lines, func(line string) bool { return sectionName(line) == profile })
	if head < 0 {
		name := "profile " + profile
		if strings.ContainsAny(profile, " \t") {
			name = `profile "` + profile + `"`
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if text != "" {
			text += "\n"
		}
		return text + "[" + name + "]\n" + setting + "\n", []string{"+[" + name + "]", "+" + setting}
	}
	change = []string{" " + strings.TrimRight(lines[head], "\r\n")}
	for i := head + 1; i < len(lines) && !strings.HasPrefix(strings.TrimSpace(lines[i]), "["); i++ {
		key, value, _ := strings.Cut(lines[i], "=")
		if strings.TrimSpace(key) != "credential_process" || key[0] == ' ' || key[0] == '\t' {
			continue
		}
		if strings.TrimSpace(value) == process {
			return text, nil
		}
		change = append(change, "-"+strings.TrimRight(lines[i], "\r\n"), "+"+setting)
		lines[i] = setting + "\n"
		return strings.Join(lines, ""), change
	}
	if !strings.HasSuffix(lines[head], "\n") {
		lines[head] += "\n"
	}
	lines = slices.Insert(lines, head+1, setting+"\n")
	return strings.Join(lines, ""), append(change, "+"+setting)
}
