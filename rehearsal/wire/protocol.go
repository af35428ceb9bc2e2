package wire

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
)

// WriteJSONError answers in AWS JSON 1.0/1.1 and REST-JSON: both clients read the header or the
// __type field.
func WriteJSONError(w http.ResponseWriter, requestID string, err error) {
	e := AsError(err)
	code := e.Code
	if code == "AccessDenied" {
		code = "AccessDeniedException"
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Requestid", requestID)
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(e.HTTPStatus())
	// Lambda reads "Message", the JSON protocols "message"; both are sent, as some of AWS's services do.
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": e.Message, "Message": e.Message})
}

// WriteJSON answers a result; v nil means an empty body, as codepipeline's PutJob* do.
func WriteJSON(w http.ResponseWriter, requestID string, status int, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Requestid", requestID)
	w.WriteHeader(status)
	if v != nil {
		_ = json.NewEncoder(w).Encode(v)
	}
}

type xmlError struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// WriteXMLError answers in the query protocol (STS, CloudFormation, IAM) and CloudFront's REST-XML.
func WriteXMLError(w http.ResponseWriter, requestID string, err error) {
	e := AsError(err)
	kind := "Sender"
	if e.HTTPStatus() >= 500 {
		kind = "Receiver"
	}
	WriteXML(w, requestID, e.HTTPStatus(), xmlError{Type: kind, Code: e.Code, Message: e.Message, RequestID: requestID})
}

// WriteXML answers v, which carries its own XMLName and namespace.
func WriteXML(w http.ResponseWriter, requestID string, status int, v any) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("X-Amzn-Requestid", requestID)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(xml.Header))
	_ = xml.NewEncoder(w).Encode(v)
}

type s3Error struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string   `xml:"Code"`
	Message   string   `xml:"Message"`
	RequestID string   `xml:"RequestId"`
}

// WriteS3Error answers in S3's own shape, which has no wrapper.
func WriteS3Error(w http.ResponseWriter, requestID string, err error) {
	e := AsError(err)
	WriteXML(w, requestID, e.HTTPStatus(), s3Error{Code: e.Code, Message: e.Message, RequestID: requestID})
}

// WriteQuery answers a result in the query protocol: members, a struct or nil, become
// ACTIONResult inside ACTIONResponse.
func WriteQuery(w http.ResponseWriter, requestID, namespace, action string, members any) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("X-Amzn-Requestid", requestID)
	_, _ = w.Write([]byte(xml.Header))
	enc := xml.NewEncoder(w)
	start := xml.StartElement{Name: xml.Name{Space: namespace, Local: action + "Response"}}
	_ = enc.EncodeToken(start)
	if members != nil {
		_ = enc.EncodeElement(members, xml.StartElement{Name: xml.Name{Local: action + "Result"}})
	}
	_ = enc.EncodeElement(struct {
		RequestID string `xml:"RequestId"`
	}{requestID}, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}})
	_ = enc.EncodeToken(start.End())
	_ = enc.Flush()
}
