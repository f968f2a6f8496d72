import { CliError } from '../errors.ts';
import { writeResult } from '../output/result.ts';
import {
  examineSession,
  problemLine,
  withTemplateOptions,
  type TemplateOptions,
} from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

export const sessionCheck: Verb = {
  name: 'session check',
  summary: 'list everything that is wrong with a session file, without a server',
  examples: ['ensconce session check session.yml -e IMAGE=app', 'ensconce session check session.yml --json'],
  define(command, io) {
    withTemplateOptions(command.argument('<file>', 'session file, - for standard input'))
      .option('--fail-on-warning', 'warnings are errors')
      .option('--json', 'write JSON')
      .action((file: string, options: TemplateOptions & { json?: true; failOnWarning?: true }) => {
        const { problems, result } = examineSession(io, file, options);
        const accepted = result !== undefined && (options.failOnWarning !== true || problems.length === 0);
        writeResult(io, options, { accepted, problems: problems.map((problem) => ({ ...problem })) }, () =>
          [
            ...problems.map((problem) => `${problem.severity}: ${problemLine(file, problem)}`),
            ...(accepted ? [`${file}: accepted`] : []),
          ].join('\n'),
        );
        if (!accepted) {
          const errors = problems.filter((problem) => problem.severity === 'error').length;
          throw new CliError(
            'CLI_SESSION',
            `${file}: a session without problems expected, ${errors} errors and ${problems.length - errors} warnings found`,
          );
        }
      });
  },
};
