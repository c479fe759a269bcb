package e2e

import (
	"strings"
	"testing"

	"kryptonite/internal/transport/sqs/fauxqs"
)

// TestSQSSecondOpinion: phone and computer pair, log in and part by an SQS that
// others wrote, without any relay.
func TestSQSSecondOpinion(t *testing.T) {
	t.Parallel()
	h := newCloudHouseAt(t, fauxqs.Start(t))
	alone(t, h)
	startCloudKrd(t, h)
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	for range 2 {
		must(t, h.Login())
	}
	out, err := h.Kr("unpair", "ana", "--yes")
	must(t, err)
	if strings.Contains(out, "could not be told") {
		t.Errorf("kr unpair: %s", out)
	}
	_, err = h.Phones["ana"].Await(`laptop has unpaired`)
	must(t, err)
}
