package docs

import "strings"

// Commands are the simple commands of a shell script as lists of words, those inside of $(...) among them.
// It knows as much of the shell as the documents use: quotes, comments, continued lines, here documents,
// pipes and lists. Variables stay as they are written.
func Commands(script string) [][]string {
	s := &scanner{rest: strings.ReplaceAll(script, "\\\n", " ")}
	for s.rest != "" {
		s.step()
	}
	s.end()
	return s.commands
}

type scanner struct {
	rest     string
	word     strings.Builder
	inWord   bool
	words    []string
	commands [][]string
	heredoc  string // its delimiter, once it was read
}

// step takes what comes next out of the rest.
func (s *scanner) step() {
	c := s.rest[0]
	switch {
	case c == '\'' || c == '"':
		s.quoted(c)
	case c == '\\' && len(s.rest) > 1:
		s.add(s.rest[1:2])
		s.rest = s.rest[2:]
	case c == '#' && !s.inWord:
		_, s.rest, _ = strings.Cut(s.rest, "\n")
		s.rest = "\n" + s.rest
	case strings.HasPrefix(s.rest, "<<"):
		s.endWord()
		s.rest = strings.TrimLeft(s.rest[2:], "- ")
		end := strings.IndexAny(s.rest, " \n")
		if end < 0 {
			end = len(s.rest)
		}
		s.heredoc, s.rest = strings.Trim(s.rest[:end], `'"`), s.rest[end:]
	case strings.HasPrefix(s.rest, "${"):
		end := strings.IndexByte(s.rest, '}') + 1
		if end == 0 {
			end = len(s.rest)
		}
		s.add(s.rest[:end])
		s.rest = s.rest[end:]
	case strings.HasPrefix(s.rest, "$("):
		s.end()
		s.rest = s.rest[2:]
	case c == '\n':
		s.end()
		s.rest = s.rest[1:]
		s.skipDocument()
	case strings.IndexByte("|&;()<>", c) >= 0:
		if c == '<' || c == '>' { // what follows is a file, and ends the words that matter
			s.endWord()
			s.words = append(s.words, string(c))
		} else {
			s.end()
		}
		s.rest = s.rest[1:]
	case c == ' ' || c == '\t':
		s.endWord()
		s.rest = s.rest[1:]
	default:
		s.add(s.rest[:1])
		s.rest = s.rest[1:]
	}
}

func (s *scanner) add(text string) {
	s.word.WriteString(text)
	s.inWord = true
}

// quoted takes a quotation; commands inside of double quotes are read as well.
func (s *scanner) quoted(by byte) {
	text, rest, _ := strings.Cut(s.rest[1:], string(by))
	if by == '"' {
		if _, inner, found := strings.Cut(text, "$("); found {
			s.commands = append(s.commands, Commands(strings.TrimSuffix(inner, ")"))...)
		}
	}
	s.add(text)
	s.inWord, s.rest = true, rest
}

func (s *scanner) endWord() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}

func (s *scanner) end() {
	s.endWord()
	for i, w := range s.words {
		if w == "<" || w == ">" {
			s.words = s.words[:i]
			break
		}
	}
	if len(s.words) > 0 {
		s.commands = append(s.commands, s.words)
	}
	s.words = nil
}

// skipDocument passes over a here document.
func (s *scanner) skipDocument() {
	if s.heredoc == "" {
		return
	}
	_, s.rest, _ = strings.Cut("\n"+s.rest, "\n"+s.heredoc+"\n")
	s.heredoc = ""
}

// Program are the arguments of each command that runs the program, under whatever path.
func Program(commands [][]string, name string) [][]string {
	var all [][]string
	for _, words := range commands {
		for i, w := range words {
			if w == name || strings.HasSuffix(w, "/"+name) && !strings.ContainsAny(w, ":$") {
				if i == 0 || words[i-1] == "run" || words[i-1] == "then" || words[i-1] == "do" {
					all = append(all, words[i+1:])
				}
				break
			}
		}
	}
	return all
}
