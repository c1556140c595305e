#compdef oathctl
# zsh completion for oathctl                                   -*- shell-script -*-

_oathctl() {
	local line flag directive=0
	local -a names shown
	# The words as the program would get them, with nothing expanded; the last one up to the cursor.
	local -a typed=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")

	while IFS= read -r line; do
		case $line in
		:<->) directive=${line#:} ;;
		*$'\t'*)
			names+=("${line%%$'\t'*}")
			shown+=("${line%%$'\t'*}  -- ${line#*$'\t'}")
			;;
		?*)
			names+=("$line")
			shown+=("$line")
			;;
		esac
	done < <(oathctl __complete "$typed[@]" 2>/dev/null)

	# The candidates for --flag=value are values alone.
	if [[ $PREFIX == -*=* ]]; then
		compset -P '*='
	fi
	if (( ! $#names )); then
		(( directive & 4 )) || _files
		return
	fi
	local -a space
	(( directive & 2 )) && space=(-S '')
	# First by beginning, in any case; then anywhere.
	compadd -M 'm:{[:lower:][:upper:]}={[:upper:][:lower:]}' $space -l -d shown -a names ||
		compadd -M 'm:{[:lower:][:upper:]}={[:upper:][:lower:]} l:|=* r:|=*' $space -l -d shown -a names
}

if [[ $funcstack[1] == _oathctl ]]; then
	_oathctl "$@"
else
	compdef _oathctl oathctl
fi
