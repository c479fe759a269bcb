package sqstest

import "net/http"

// isPreflight reports whether r is a browser's question whether a page may ask.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// preflight answers such a question; an error: nothing was answered.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	call := Call{Op: r.Method, Origin: r.Header.Get("Origin")}
	s.calls = append(s.calls, call)
	var f *Fault
	if s.fault != nil {
		f = s.fault(call)
	}
	switch {
	case f != nil && !f.WrongMD5 && f.Status == 0:
		return errDropped
	case f != nil && !f.WrongMD5:
		w.WriteHeader(f.Status)
		return nil
	case r.Host != s.host || r.URL.Path != "/":
		w.WriteHeader(http.StatusNotFound)
		return nil
	}
	h := w.Header()
	allowOrigin(h)
	if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
	h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
	h.Set("Access-Control-Max-Age", "172800")
	h.Set("X-Amzn-Requestid", random(16))
	w.WriteHeader(http.StatusOK)
	return nil
}

// allowOrigin lets the page that asked read the answer.
func allowOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date")
}
