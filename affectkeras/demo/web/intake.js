// Where a file goes in: dropped, chosen, or recorded by the webcam. It is sent to this page's own
// server, and `trigger` then tells the server to begin.
"use strict";

function startIntake(element, props, trigger) {
  const find = (id) => element.querySelector(`#${id}`);
  const largest = Number(props.bytes), seconds = Number(props.seconds);
  let stream = null, recorder = null, timer = 0, sending = null;

  function say(words, problem = false) {
    const line = find("sending");
    line.textContent = words;
    line.hidden = !words;
    line.classList.toggle("problem", problem);
  }

  function send(file, name) {
    if (file.size > largest) {
      const size = (file.size / 1e6).toFixed(0), most = (largest / 1e6).toFixed(0);
      say(`${name}: ${size} MB are more than the ${most} MB allowed.`, true);
      return;
    }
    sending?.abort();
    const request = (sending = new XMLHttpRequest()), form = new FormData();
    form.append("files", file, name);
    request.open("POST", "/gradio_api/upload");
    request.upload.onprogress = (event) => {
      say(`Reading ${name}: ${Math.floor((100 * event.loaded) / (event.total || 1))} %`);
    };
    request.onerror = () => say("The server does not answer. Is it still running?", true);
    request.onload = () => {
      if (request.status !== 200) {
        say(`${name}: ${request.responseText || "the server refused it."}`, true);
        return;
      }
      say("");
      element.querySelector(".intake").dataset.state = "given";
      trigger("submit", { upload: JSON.parse(request.responseText)[0], name });
    };
    request.send(form);
  }

  async function openCamera() {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: false });
    } catch (error) {
      say(`The webcam cannot be used: ${error.message}`, true);
      return;
    }
    say("");
    find("camera").hidden = false;
    find("camera-open").hidden = true;
    find("camera-view").srcObject = stream;
    find("camera-view").play();
  }

  function closeCamera() {
    if (recorder?.state === "recording") {
      recorder.ondataavailable = recorder.onstop = null;
      recorder.stop();
    }
    endRecording();
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    find("camera").hidden = true;
    find("camera-open").hidden = false;
  }

  function endRecording() {
    clearInterval(timer);
    recorder = null;
    find("camera-record").textContent = "Record";
    find("camera-time").textContent = "";
  }

  function record() {
    if (recorder) {
      recorder.stop();
      return;
    }
    const parts = [], began = Date.now();
    recorder = new MediaRecorder(stream);
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => {
      const type = parts[0]?.type || "video/webm";
      closeCamera();
      send(new Blob(parts, { type }), type.includes("mp4") ? "webcam.mp4" : "webcam.webm");
    };
    recorder.start();
    find("camera-record").textContent = "Stop and analyse";
    timer = setInterval(() => {
      const passed = (Date.now() - began) / 1000;
      find("camera-time").textContent = `${passed.toFixed(0)} s`;
      if (passed >= seconds - 1) recorder?.stop();
    }, 250);
  }

  function takePhoto() {
    const view = find("camera-view"), canvas = document.createElement("canvas");
    canvas.width = view.videoWidth;
    canvas.height = view.videoHeight;
    canvas.getContext("2d").drawImage(view, 0, 0);
    canvas.toBlob((blob) => {
      closeCamera();
      send(blob, "webcam.png");
    }, "image/png");
  }

  const drop = find("drop");
  function sendChosen() {
    const file = find("file").files[0];
    if (file) send(file, file.name);
    find("file").value = ""; // the same file can be given again
  }
  find("file").addEventListener("change", sendChosen);
  sendChosen(); // what was chosen while the page was still loading
  // Anywhere on the page: a file let go beside the field would else replace the page.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const file = event.dataTransfer.files[0];
    if (file) send(file, file.name);
  });
  find("camera-open").addEventListener("click", openCamera);
  find("camera-close").addEventListener("click", closeCamera);
  find("camera-record").addEventListener("click", record);
  find("camera-photo").addEventListener("click", takePhoto);
  element.querySelector(".intake").dataset.ready = "";
  return { send };
}
