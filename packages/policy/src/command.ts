/** Why a command line cannot be split. `offset` counts from its start. */
export interface SplitProblem {
  readonly message: string;
}

/**
 * Splits a command line as a POSIX shell would without expanding anything: white space separates, single quotes keep
 * all, double quotes keep all but a backslash before `"`, `\`, `$` or a backquote, a backslash outside keeps the next character.
 * References (`$$SCONE::…$$`) are plain text here: what they stand for is put in after the split, never before.
 */
export function splitCommand(line: string): readonly string[] | SplitProblem {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < line.length) {
    const char = line.charAt(at);
    if (/[ \t\r\n]/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at++;
    } else if (char === "'") {
      const end = line.indexOf("'", at + 1);
      if (end < 0) return { message: "a closing ' expected, the end of the command found" };
      word = (word ?? '') + line.slice(at + 1, end);
      at = end + 1;
    } else if (char === '"') {
      word ??= '';
      for (at++; line.charAt(at) !== '"'; at++) {
        if (at >= line.length) return { message: 'a closing " expected, the end of the command found' };
        if (line.charAt(at) === '\\' && /["\\$`]/.test(line.charAt(at + 1))) at++;
        word += line.charAt(at);
      }
      at++;
    } else if (char === '\\') {
      if (at + 1 >= line.length)
        return { message: 'a character after \\ expected, the end of the command found' };
      word = (word ?? '') + line.charAt(at + 1);
      at += 2;
    } else {
      word = (word ?? '') + char;
      at++;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}
