# fish completion for oathctl                                  -*- shell-script -*-

# The words as the program would get them, with nothing expanded.
function __oathctl_complete
    set -l typed (commandline -opc)[2..]
    set -l last (commandline -ct)
    oathctl __complete $typed (string unescape -- $last; or string trim -lc "'\"" -- $last) 2>/dev/null
end

function __oathctl_candidates
    set -l lines (__oathctl_complete)
    # The candidates for --flag=value are values alone.
    set -l flag (string match -r -- '^-[^=]*=' (commandline -ct))
    for line in $lines[..-2]
        echo "$flag$line"
    end
    # A directive without 4 lets files be offered too.
    if test (count $lines) = 1; and test (math "bitand($(string sub -s 2 -- $lines[1]), 4)") = 0
        __fish_complete_path (commandline -ct)
    end
end

complete -c oathctl -e
complete -c oathctl -f -a '(__oathctl_candidates)'
