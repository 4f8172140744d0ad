// Connects its standard input and output to a TCP address: `netns-connect ADDRESS PORT`. Started inside a network
// namespace by nsenter, it lets a program outside speak to a machine that only that namespace can reach. It imports
// nothing of the project, since one is started for every connection.
import { Socket } from 'node:net';

const CONNECT_BUDGET_MS = 10_000;
const GOODBYE_MS = 5_000; // for the last bytes of the other side after ours has hung up

const [address = '', port = ''] = process.argv.slice(2);

function endWith(code: number, message: string): void {
  process.stderr.write(`netns-connect: ${address} port ${port}: ${message}\n`, () => process.exit(code));
}

const socket = new Socket();
const tooLong = setTimeout(() => endWith(1, `no connection in ${CONNECT_BUDGET_MS} ms`), CONNECT_BUDGET_MS);
socket.setNoDelay(true);
socket.setKeepAlive(true);
socket.once('error', (error) => endWith(1, error.message));
socket.connect(Number(port), address, () => {
  clearTimeout(tooLong);
  process.stdin.pipe(socket).pipe(process.stdout);
  process.stdin.once('end', () => setTimeout(() => process.exit(0), GOODBYE_MS).unref());
  process.stdout.once('error', () => process.exit(0)); // the program that we speak for has gone
  socket.once('close', () => process.stdout.write('', () => process.exit(0))); // behind all that waits there
});
