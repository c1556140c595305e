package importer

import "strings"

// columns reads from a CREATE TABLE which column is where. It knows as much SQL as apps write for their
// own tables: names, quoted or not, in front of what it skips.
func columns(sql string) map[string]int {
	places := make(map[string]int)
	_, inside, _ := strings.Cut(sql, "(")
	for len(inside) > 0 && len(places) < maxColumns {
		var definition string
		definition, inside = cutDefinition(inside)
		if name := firstName(definition); name != "" && !constraint[strings.ToUpper(name)] {
			places[strings.ToLower(name)] = len(places)
		}
	}
	return places
}

// constraint holds the words with which what is no column begins; a column would be quoted.
var constraint = map[string]bool{"CONSTRAINT": true, "PRIMARY": true, "UNIQUE": true, "CHECK": true, "FOREIGN": true}

// cutDefinition cuts sql after a column's definition, at a comma outside of quotes and parentheses or at
// the parenthesis that ends the table.
func cutDefinition(sql string) (definition, rest string) {
	depth := 0
	for i := 0; i < len(sql); i++ {
		switch sql[i] {
		case '\'', '"', '`', '[':
			i += quoteLen(sql[i:]) - 1
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return sql[:i], ""
			}
		case ',':
			if depth == 0 {
				return sql[:i], sql[i+1:]
			}
		}
	}
	return sql, ""
}

// quoteLen is the length of the quoted text, quotes included, with which sql begins.
func quoteLen(sql string) int {
	end := sql[0]
	if end == '[' {
		end = ']'
	}
	if i := strings.IndexByte(sql[1:], end); i >= 0 {
		return i + 2
	}
	return len(sql)
}

func firstName(definition string) string {
	definition = strings.TrimSpace(definition)
	if definition == "" {
		return ""
	}
	if strings.IndexByte("'\"`[", definition[0]) >= 0 {
		if n := quoteLen(definition); n > 2 {
			return definition[1 : n-1]
		}
		return ""
	}
	if i := strings.IndexAny(definition, " \t\r\n("); i >= 0 {
		definition = definition[:i]
	}
	return definition
}
