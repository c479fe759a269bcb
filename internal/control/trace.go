package control

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"kryptonite/internal/wire"
)

// Traces are the newest requests since krd's start, hop by hop, oldest first. krd
// keeps a few.
type Traces struct {
	SchemaVersion int     `json:"schema_version"`
	Traces        []Trace `json:"traces"`
}

// Trace is the way of one request. Texts may hold any characters: clean them
// before they are shown.
type Trace struct {
	Time    time.Time `json:"time"` // when ssh asked
	Pairing string    `json:"pairing"`
	Phone   string    `json:"phone"`
	Request *wire.ID  `json:"request_id,omitempty"` // of the last try; nil: nothing was sent, or it still waits

	Kind      Kind   `json:"kind"`
	User      string `json:"user,omitempty"`      // of a login
	Namespace string `json:"namespace,omitempty"` // of a signature
	Program   string `json:"program,omitempty"`   // what asked
	Host      string `json:"host,omitempty"`      // as ssh resolves what was typed

	Outcome Outcome `json:"outcome,omitempty"` // "": it still waits
	Reason  string  `json:"reason,omitempty"`
	TookMS  float64 `json:"took_ms,omitempty"` // to the outcome

	Steps   []TraceStep `json:"steps"`
	Dropped int         `json:"dropped,omitempty"` // steps that repeat others and were not kept
}

// TraceStep is one hop.
type TraceStep struct {
	AtMS      float64   `json:"at_ms"` // since Time
	Hop       string    `json:"hop"`   // one of session's
	Via       string    `json:"via,omitempty"`
	PhoneTime time.Time `json:"phone_time,omitzero"` // by the phone's clock, whole seconds
	Problem   string    `json:"problem,omitempty"`
}

// Traces returns the newest n requests, or as many of them as krd has.
func (c *Client) Traces(ctx context.Context, n int) (Traces, error) {
	var out Traces
	return out, c.call(ctx, http.MethodGet, "/v1/trace?"+url.Values{"n": {strconv.Itoa(n)}}.Encode(), nil, &out)
}
