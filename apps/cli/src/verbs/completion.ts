import { Argument, type Command } from 'commander';
import type { Verb } from '../verb.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/** For each group of words typed so far, the words that may follow. */
function table(command: Command, typed: string): [string, string[]][] {
  const next = [
    ...command.commands.map((child) => child.name()),
    ...command.options.flatMap((option) => (option.long === undefined ? [] : [option.long])),
    '--help',
  ];
  return [[typed, next], ...command.commands.flatMap((child) => table(child, `${typed} ${child.name()}`))];
}

const scripts: Readonly<Record<Shell, (rows: readonly [string, string[]][]) => string>> = {
  bash: (rows) => `_ensconce() {
  local typed="ensconce" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] || typed+=" $word"
  done
  local next=""
  case "$typed" in
${rows.map(([typed, next]) => `    "${typed}") next="${next.join(' ')}" ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$next" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [[ \${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _ensconce ensconce
`,
  zsh: (rows) => `#compdef ensconce
_ensconce() {
  local typed="ensconce" word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ $word == -* ]] || typed+=" $word"
  done
  case "$typed" in
${rows.map(([typed, next]) => `    "${typed}") compadd -- ${next.join(' ')} ;;`).join('\n')}
  esac
  _files
}
compdef _ensconce ensconce
`,
  fish: (rows) =>
    rows
      .map(([typed, next]) => {
        const words = typed.split(' ').slice(1);
        const condition =
          words.length === 0 ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${words.at(-1)}`;
        return `complete -c ensconce -n '${condition}' -a '${next.join(' ')}'\n`;
      })
      .join(''),
};

export const completion: Verb = {
  name: 'completion',
  summary: 'write a completion script for a shell',
  examples: [
    'ensconce completion bash > /etc/bash_completion.d/ensconce',
    'source <(ensconce completion zsh)',
  ],
  define(command, io) {
    command.addArgument(new Argument('<shell>', 'which shell').choices(shells)).action((shell: Shell) => {
      let root = command;
      while (root.parent !== null) root = root.parent;
      io.stdout(scripts[shell](table(root, 'ensconce')));
    });
  },
};
