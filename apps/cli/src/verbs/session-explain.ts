import { explainService, type Explanation } from '@ensconce/policy/explain';
import { printable } from '../output/printable.ts';
import { writeResult } from '../output/result.ts';
import { loadSession, withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

export const sessionExplain: Verb = {
  name: 'session explain',
  summary: 'say what a service of a session file gets and from where, without a server',
  examples: ['ensconce session explain session.yml app -e NS=team'],
  define(command, io) {
    withTemplateOptions(command.argument('<file>', 'session file, - for standard input'))
      .argument('<service>', 'name of the service')
      .option('--json', 'write JSON')
      .action((file: string, service: string, options: TemplateOptions & { json?: true }) => {
        const explanation = explainService(loadSession(io, file, options).session, service);
        writeResult(io, options, JSON.parse(JSON.stringify(explanation)) as never, () =>
          inWords(explanation),
        );
      });
  },
};

function inWords(explanation: Explanation): string {
  const sections: [string, readonly string[]][] = [
    ['who may be it', explanation.trust],
    ['what starting it takes', explanation.start],
    ['command', [JSON.stringify(explanation.command)]],
    ['in', [`${explanation.pwd} as ${explanation.user}`]],
    ['variables', explanation.environment.map(({ name, from }) => `${name}: from ${from}`)],
    ['files', explanation.files.map(({ path, from }) => `${path}: from ${from}`)],
    [
      'secrets',
      explanation.secrets.map(({ name, from, uses }) => `${name}: ${from}; used as ${uses.join(', ')}`),
    ],
    ['chosen by the untrusted host', explanation.hostChooses],
    ['who may change this', [explanation.changedBy]],
  ];
  const lines = sections
    .filter(([, entries]) => entries.length > 0)
    .flatMap(([title, entries]) => [`${title}:`, ...entries.map((entry) => `  ${printable(entry)}`)]);
  return [printable(explanation.configId), ...lines].join('\n');
}
