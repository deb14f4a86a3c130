// Nodemailer, pooled, as a contestant: says when it is ready, then answers each line with when it began and ended.
import readline from 'node:readline';
import nodemailer from 'nodemailer';

const asked = JSON.parse(process.argv[2]);
const seconds = () => Number(process.hrtime.bigint()) / 1e9; // CLOCK_MONOTONIC on Linux, the bench's own clock
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const transport = nodemailer.createTransport({
  host: '127.0.0.1',
  port: asked.port,
  secure: false,
  ignoreTLS: true,
  pool: true,
  maxConnections: asked.connections,
  maxMessages: Infinity,
});

async function run({ messages, callers }) {
  let next = 0;
  const begun = seconds();
  const caller = async () => {
    while (next < messages) {
      next += 1;
      await transport.sendMail({
        from: 'robot@example.com',
        to: 'anna@example.com',
        subject: 'Bench',
        text: asked.text,
      });
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { begun, ended: seconds() };
}

say({});
for await (const line of readline.createInterface({ input: process.stdin })) {
  say(await run(JSON.parse(line)));
}
transport.close();
