//! The catalog files that the binary carries: one line each, checked against the folder by a test.

/// A list of files below `catalog/`, each with its text.
macro_rules! embed {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../catalog/", $path)))),*]
    };
}

/// Every embedded catalog file: its path below `catalog/`, and its text.
pub const EMBEDDED: &[(&str, &str)] = embed! {
    "aws/account.yaml"
    "aws/alb.yaml"
    "aws/api_gateway.http.yaml"
    "aws/api_gateway.rest.yaml"
    "aws/aurora.postgres.yaml"
    "aws/aurora.serverless_v2.yaml"
    "aws/cognito.yaml"
    "aws/comprehend.yaml"
    "aws/dax.yaml"
    "aws/dynamodb.on_demand.yaml"
    "aws/dynamodb.provisioned.yaml"
    "aws/dynamodb.streams.yaml"
    "aws/cloudfront_functions.yaml"
    "aws/ec2.ecs.yaml"
    "aws/ec2.yaml"
    "aws/elasticache.redis.yaml"
    "aws/fargate.yaml"
    "aws/function_url.yaml"
    "aws/kinesis.on_demand.yaml"
    "aws/kinesis.yaml"
    "aws/lambda.2020.yaml"
    "aws/lambda.snapstart.yaml"
    "aws/lambda.yaml"
    "aws/lambda_edge.yaml"
    "aws/lambda_managed_instances.yaml"
    "aws/opensearch.yaml"
    "aws/rds.mysql.yaml"
    "aws/rds.postgres.yaml"
    "aws/rds.proxy.yaml"
    "aws/rekognition.yaml"
    "aws/s3.standard.yaml"
    "aws/ses.yaml"
    "aws/sqs.fifo.yaml"
    "aws/sqs.standard.yaml"
    "aws/step_functions.express.yaml"
    "aws/step_functions.standard.yaml"
    "azure/functions.consumption.yaml"
    "azure/functions.flex.yaml"
    "azure/functions.premium.yaml"
    "cloudflare/workers.yaml"
    "generic/gateway.yaml"
    "generic/model_api.yaml"
    "generic/outbox.yaml"
    "generic/payment.yaml"
    "generic/postgres.yaml"
    "google/cloud_run.functions.yaml"
    "google/cloud_run.yaml"
    "google/functions.yaml"
    "knative/service.yaml"
    "openwhisk/action.yaml"
    "vercel/functions.yaml"
};
