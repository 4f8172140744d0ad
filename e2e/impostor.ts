import { inside } from './own-lab.ts';

/**
 * Runs inside a host in place of its node: listens on TCP only, and answers what the node had answered. `$1` the
 * answers, `$2` the port, `$3` the token.
 */
const PROGRAM = `
const { readFileSync } = require('node:fs');
const answers = JSON.parse(readFileSync(process.argv[2], 'utf8'));
require('node:http')
  .createServer((request, response) => {
    const body = answers[request.url.split('?')[0]];
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(body ?? '{"ok":false,"error":"no"}');
  })
  .listen(Number(process.argv[3]), '127.0.0.1');
`;

const ASKED = ['/health', '/agent', '/peers', '/status', '/diagnostics/runtime'];

const RECORD = `
const token = require('node:fs').readFileSync('/var/lib/meshproof-node/api-token', 'utf8').trim();
const paths = JSON.parse(process.argv[1]);
Promise.all(paths.map(async (path) => {
  const answer = await fetch('http://127.0.0.1:' + process.argv[2] + path, { headers: { authorization: 'Bearer ' + token } });
  return [path, await answer.text()];
})).then((all) => process.stdout.write(JSON.stringify(Object.fromEntries(all))));
`;

const NODE = '/opt/meshproof/current/program/bin/node';
const HOME = '/opt/impostor';
const DROP_IN = '/etc/systemd/system/meshproof-node.service.d';

/** Puts a program in the node's place that says it has joined and holds no UDP port; gives what undoes that. */
export async function plantImpostor(
  dir: string,
  host: string,
  apiPort: number,
): Promise<() => Promise<void>> {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const unit = [
    '[Service]',
    'Type=exec',
    'WatchdogSec=0',
    'ExecStart=',
    `ExecStart=${NODE} ${HOME}/impostor.cjs ${HOME}/answers.json ${apiPort}`,
  ].join('\n');
  await inside(
    dir,
    host,
    [
      'set -e',
      `mkdir -p ${HOME} ${DROP_IN}`,
      `${NODE} -e ${quoted(RECORD)} ${quoted(JSON.stringify(ASKED))} ${apiPort} > ${HOME}/answers.json`,
      `printf %s ${quoted(PROGRAM)} > ${HOME}/impostor.cjs`,
      `printf '%s\\n' ${quoted(unit)} > ${DROP_IN}/impostor.conf`,
      `chmod -R a+rX ${HOME}`,
      'systemctl daemon-reload',
      'systemctl restart meshproof-node.service',
    ].join('\n'),
  );
  return async () => {
    await inside(
      dir,
      host,
      `rm -r ${HOME} ${DROP_IN}; systemctl daemon-reload; systemctl restart meshproof-node.service`,
    );
  };
}
