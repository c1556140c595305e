package config

// nearest returns the one of known that takes the fewest edits to become word.
func nearest(word string, known []string) string {
	best, distance := "", -1
	for _, k := range known {
		if d := edits(word, k); distance < 0 || d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes. Names are short; of a longer word the end is ignored.
func edits(a, b string) int {
	const limit = 64
	a = a[:min(len(a), limit)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
