// Sends a mail through mailport and follows it: node send.mjs TO [CONFIGURATION] [HOST:PORT]
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [to, configurationId = 'alerts', server = '127.0.0.1:50051'] = process.argv.slice(2);
if (!to) {
  console.error('usage: node send.mjs TO [CONFIGURATION] [HOST:PORT]');
  process.exit(2);
}

const definition = loader.loadSync('mailport/v1/mail_service.proto', {
  includeDirs: [fileURLToPath(new URL('../../proto', import.meta.url))],
  keepCase: true, longs: String, enums: String, defaults: true, oneofs: true,
});
const { mailport } = grpc.loadPackageDefinition(definition);
const client = new mailport.v1.MailService(server, grpc.credentials.createInsecure());

// A deadline goes with every call; without one the service's own would end it.
const call = (method, request) =>
  promisify(client[method].bind(client))(request, { deadline: Date.now() + 60_000 });

try {
  // The key makes the call safe to repeat: without an answer, call again with the same one.
  const { delivery } = await call('Send', {
    configuration_id: configurationId,
    message: { to: [{ address: to }], subject: 'Hello', text_body: 'Sent from Node.\n' },
    idempotency_key: randomUUID(),
    wait: true,
  });
  const followed = (await call('GetDelivery', { delivery_id: delivery.delivery_id })).delivery;
  console.log(`${followed.delivery_id} ${followed.state}`);
  if (followed.state !== 'DELIVERY_STATE_SENT') {
    process.exitCode = 1;
  }
  for (const recipient of followed.recipients) {
    console.log(`  ${recipient.address}: ${recipient.provider_reply} ${recipient.failure?.remedy ?? ''}`.trimEnd());
  }
} catch (error) {
  // `error.metadata` carries google.rpc details under `grpc-status-details-bin`; the text says what to do too.
  console.error(`${grpc.status[error.code]}: ${error.details}`);
  process.exitCode = 1;
} finally {
  client.close();
}
