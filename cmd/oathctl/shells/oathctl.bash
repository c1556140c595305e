# bash completion for oathctl                                  -*- shell-script -*-

# Nothing that was typed is evaluated here: oathctl reads the line by itself.
_oathctl() {
	local options line
	COMPREPLY=()
	{
		IFS= read -r options || return 0
		while IFS= read -r line; do
			COMPREPLY+=("$line")
		done
	} < <(oathctl __bash "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
	# shellcheck disable=SC2086 # there are several
	compopt $options 2>/dev/null
	return 0
}

complete -o default -F _oathctl oathctl
