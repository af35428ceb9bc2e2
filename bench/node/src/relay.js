// The pipeline account's function, as in the article: it invokes the function of the delivery
// account. Beyond the article it makes the calls that ours makes in the first job of an action, so
// that the two are measured doing the same: it reads the distribution, looks at what is in progress,
// creates the invalidation, and answers CodePipeline with a continuation token.
import { CodePipelineClient, PutJobFailureResultCommand, PutJobSuccessResultCommand } from '@aws-sdk/client-codepipeline';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

const lambda = new LambdaClient({});
const pipeline = new CodePipelineClient({});

async function ask(request) {
  const out = await lambda.send(new InvokeCommand({
    FunctionName: process.env.TARGET_LAMBDA_ARN,
    InvocationType: 'RequestResponse',
    Payload: JSON.stringify({ version: 1, ...request }),
  }));
  const answer = JSON.parse(Buffer.from(out.Payload).toString());
  if (out.FunctionError || answer.error) throw new Error(answer.errorMessage ?? answer.error.message);
  return answer;
}

export const handler = async (event) => {
  const jobId = event['CodePipeline.job'].id;
  try {
    const { distribution } = await ask({ operation: 'distribution' });
    const { invalidations } = await ask({ operation: 'inProgress', distribution: distribution.id });
    if (invalidations.length > 15) throw new Error('too many invalidations in progress');
    const { invalidation } = await ask({
      operation: 'create', distribution: distribution.id, items: ['/*'], reference: `article-${jobId}`,
    });
    await pipeline.send(new PutJobSuccessResultCommand({ jobId, continuationToken: invalidation.id }));
  } catch (error) {
    await pipeline.send(new PutJobFailureResultCommand({ jobId, failureDetails: { type: 'JobFailed', message: error.message } }));
  }
};
