// The delivery account's function, as in the article: it invalidates everything on the one
// distribution. The event is not looked at; the reference is the clock.
import { CloudFrontClient, CreateInvalidationCommand } from '@aws-sdk/client-cloudfront';

const cloudfront = new CloudFrontClient({ region: 'us-east-1' });

export const handler = async () => {
  const out = await cloudfront.send(new CreateInvalidationCommand({
    DistributionId: process.env.DISTRIBUTION_ID,
    InvalidationBatch: { CallerReference: String(Date.now()), Paths: { Quantity: 1, Items: ['/*'] } },
  }));
  return { id: out.Invalidation.Id, status: out.Invalidation.Status };
};
