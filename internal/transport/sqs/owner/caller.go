package owner

import (
	"context"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"kryptonite/internal/transport/sqs"
)

// caller is an sqs.Caller with the account's credentials. The SDK checks MD5s.
type caller struct{ c *awssqs.Client }

func (c caller) SendMessage(ctx context.Context, queue, body string) error {
	_, err := c.c.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: &queue, MessageBody: &body})
	return explain(ctx, "SendMessage", err)
}

func (c caller) ReceiveMessages(ctx context.Context, queue string, waitSeconds int) ([]sqs.Message, error) {
	out, err := c.c.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl: &queue, MaxNumberOfMessages: sqs.Batch, WaitTimeSeconds: int32(waitSeconds)})
	if err != nil {
		return nil, explain(ctx, "ReceiveMessage", err)
	}
	var list []sqs.Message
	for _, m := range out.Messages {
		list = append(list, sqs.Message{Body: aws.ToString(m.Body), Handle: aws.ToString(m.ReceiptHandle)})
	}
	return list, nil
}

func (c caller) DeleteMessages(ctx context.Context, queue string, handles []string) error {
	var entries []types.DeleteMessageBatchRequestEntry
	for i, h := range handles {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(h)})
	}
	out, err := c.c.DeleteMessageBatch(ctx, &awssqs.DeleteMessageBatchInput{QueueUrl: &queue, Entries: entries})
	if err != nil {
		return explain(ctx, "DeleteMessageBatch", err)
	}
	if len(out.Failed) > 0 {
		return sqs.NewError("DeleteMessageBatch", aws.ToString(out.Failed[0].Code), http.StatusOK)
	}
	return nil
}
