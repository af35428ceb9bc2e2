// The loop that Lambda's Node runtime runs around a handler, and no more than it: load the handler,
// fetch an event, call the handler, post what it returns or throws. AWS's own client
// (aws-lambda-ric) does the same but compiles a native module when installed, which would make
// measuring need a C++ toolchain; its extras (log patching, X-Ray, streaming) are left out, in
// Node's favour.
import http from 'node:http';
import { createRequire } from 'node:module';

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const request = http.request({ host, port, agent, method, path: '/2018-06-01/runtime/' + path, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

const { handler } = createRequire(__filename)(process.env._HANDLER);

(async () => {
  for (;;) {
    const next = await call('GET', 'invocation/next');
    const id = next.headers['lambda-runtime-aws-request-id'];
    const deadline = Number(next.headers['lambda-runtime-deadline-ms']);
    const context = { awsRequestId: id, getRemainingTimeInMillis: () => deadline - Date.now() };
    try {
      const result = await handler(JSON.parse(next.body), context);
      await call('POST', `invocation/${id}/response`, JSON.stringify(result ?? null));
    } catch (error) {
      const report = { errorType: error.name, errorMessage: error.message };
      await call('POST', `invocation/${id}/error`, JSON.stringify(report));
    }
  }
})();
