// Package nearest owns the guess behind "did you mean": which of the known names somebody who wrote
// another probably had in mind.
package nearest

// limit bounds how much of a foreign word is compared, in bytes. Names are shorter.
const limit = 64

// To returns the one of known that takes the fewest edits to become word, the first of several; "" if none
// are known.
func To(word string, known []string) string {
	best, least := "", -1
	for _, name := range known {
		if n := edits(word, name); least < 0 || n < least {
			best, least = name, n
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes: insertions, deletions and substitutions. It keeps one row of the
// table, of which diagonal is what stood above and to the left.
func edits(word, name string) int {
	word = word[:min(len(word), limit)]
	row := make([]int, len(name)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(word) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(name) {
			substitute := diagonal
			if word[i] != name[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(name)]
}
